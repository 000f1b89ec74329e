import { fdatasync, fsyncSync, openSync, writeSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';
import express from 'express';
import { request } from 'undici';
import { UPSTREAM_URL } from '../../protocol/headers.ts';
import { controlEvent } from '../../server/read/sse-frames.ts';

/**
 * A pass-through that does one thing of ours and nothing else, so that it says what that thing costs at least:
 * `flush <file>` has each chunk flushed to disk before it goes out, `frame` sends chunks as base64 events.
 */
const [kind, file] = process.argv.slice(2) as ['flush' | 'frame', string?];

const EVENT_BYTES = 8_192;
const FILE_BYTES = 2 ** 26;

function frame(body: Readable, res: ServerResponse): void {
  let position = 0;
  body
    .on('data', (chunk: Buffer) => {
      let text = '';
      for (let at = 0; at < chunk.length; at += EVENT_BYTES) {
        const part = chunk.subarray(at, at + EVENT_BYTES);
        position += part.length;
        const control = controlEvent(
          { next: String(position).padStart(16, '0'), upToDate: true },
          '12345678',
        );
        text += `event: data\ndata: ${part.toString('base64')}\n\n${control}`;
      }
      if (!res.write(text, 'latin1')) body.pause();
    })
    .on('end', () => {
      res.end(controlEvent({ next: String(position), upToDate: true, end: { outcome: 'complete' } }, ''));
    });
  res.on('drain', () => body.resume());
}

/** One write and one flush for all that came during the flush before. */
function flusher(path: string): (chunk: Buffer, onFlushed: () => void) => void {
  const fd = openSync(path, 'w+');
  writeSync(fd, Buffer.alloc(FILE_BYTES));
  fsyncSync(fd);
  let position = 0;
  let busy = false;
  let due: { chunk: Buffer; onFlushed: () => void }[] = [];
  const flush = (): void => {
    const batch = due;
    due = [];
    busy = batch.length > 0;
    if (!busy) return;
    const bytes = Buffer.concat(batch.map(({ chunk }) => chunk));
    if (position + bytes.length > FILE_BYTES) position = 0;
    position += writeSync(fd, bytes, 0, bytes.length, position);
    fdatasync(fd, (error) => {
      if (error) throw error;
      for (const { onFlushed } of batch) onFlushed();
      flush();
    });
  };
  return (chunk, onFlushed) => {
    due.push({ chunk, onFlushed });
    if (!busy) flush();
  };
}

function flushed(write: ReturnType<typeof flusher>) {
  return (body: Readable, res: ServerResponse): void => {
    let unflushed = 0;
    let ended = false;
    const endWhenFlushed = () => {
      if (ended && unflushed === 0) res.end();
    };
    body
      .on('data', (chunk: Buffer) => {
        unflushed += 1;
        write(chunk, () => {
          res.write(chunk);
          unflushed -= 1;
          endWhenFlushed();
        });
      })
      .on('end', () => {
        ended = true;
        endWhenFlushed();
      });
  };
}

const pass = kind === 'frame' ? frame : flushed(flusher(file!));
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
