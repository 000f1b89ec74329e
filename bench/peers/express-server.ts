import type { AddressInfo } from 'node:net';
import express from 'express';
import { request } from 'undici';
import { UPSTREAM_URL } from '../../protocol/headers.ts';
import { passAppended, passFlushed, passFramed, type Pass } from './floors.ts';

/** A minimal pass-through proxy without storage; or `frame`, `flush <file>` or `append <url>`: see floors.ts. */
const [kind, where] = process.argv.slice(2) as ['frame' | 'flush' | 'append' | undefined, string?];
const plain: Pass = (body, res) => void body.pipe(res);
const pass =
  kind === 'frame'
    ? passFramed
    : kind === 'flush'
      ? passFlushed(where!)
      : kind === 'append'
        ? passAppended(where!)
        : plain;

const app = express();
app.post('/', (req, res, next) => {
  request(String(req.get(UPSTREAM_URL)), { method: 'POST' })
    .then((answer) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      pass(answer.body, res);
    })
    .catch(next);
});
const server = app.listen(0, '127.0.0.1', () => {
  console.log(`listening http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
