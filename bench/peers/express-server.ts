import type { AddressInfo } from 'node:net';
import express from 'express';
import { request } from 'undici';
import { UPSTREAM_URL } from '../../protocol/headers.ts';

/** A pass-through as one writes it in ten lines: it keeps nothing. */
const app = express();
app.post('/', (req, res, next) => {
  request(String(req.get(UPSTREAM_URL)), { method: 'POST' })
    .then((answer) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      answer.body.pipe(res);
    })
    .catch(next);
});
const server = app.listen(0, '127.0.0.1', () => {
  console.log(`listening http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
