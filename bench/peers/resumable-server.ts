import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import express from 'express';
import { createClient } from 'redis';
import { createResumableStreamContext } from 'resumable-stream';
import { UPSTREAM_URL } from '../../protocol/headers.ts';

/** The peer as in its README: a stream of strings in Redis, which can be resumed while it runs. */
const url = process.argv[2]!;
const publisher = createClient({ url });
const subscriber = createClient({ url });
await Promise.all([publisher.connect(), subscriber.connect()]);
const context = createResumableStreamContext({ waitUntil: null, publisher, subscriber });

const app = express();
app.post('/', (req, res, next) => {
  fetch(String(req.get(UPSTREAM_URL)), { method: 'POST' })
    .then(async (answer) => {
      const text = answer.body!.pipeThrough(new TextDecoderStream());
      const stream = await context.createNewResumableStream(
        randomUUID(),
        () => text as ReadableStream<string>,
      );
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      Readable.fromWeb(stream as Parameters<typeof Readable.fromWeb>[0]).pipe(res);
    })
    .catch(next);
});
const server = app.listen(0, '127.0.0.1', () => {
  console.log(`listening http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
