import { randomUUID } from 'node:crypto';
import { fdatasync, fsyncSync, openSync, writeSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { Pool } from 'undici';
import { SseEncoder } from '../../server/read/sse-frames.ts';
import { FRAME_BYTES } from '../../server/store/shared/frames.ts';
import { formatOffset } from '../../server/store/shared/byte-offsets.ts';

/**
 * How a pass-through forwards a response. Each variant adds one part of the durable proxy, to measure the minimum cost
 * of that part.
 */
export type Pass = (body: Readable, res: ServerResponse) => void;

const CURSOR = '12345678';
const NOTHING = new Uint8Array(0);
const FILE_BYTES = 2 ** 26;

/** Sends chunks as base64 events. */
export const passFramed: Pass = (body, res) => {
  const encoder = new SseEncoder();
  let position = 0;
  body
    .on('data', (chunk: Buffer) => {
      let text = '';
      for (let at = 0; at < chunk.length; at += FRAME_BYTES) {
        const bytes = chunk.subarray(at, at + FRAME_BYTES);
        position += bytes.length;
        text += encoder.encode({ bytes, next: formatOffset(position), upToDate: true }, CURSOR, true);
      }
      if (!res.write(text, 'latin1')) body.pause();
    })
    .on('end', () => {
      const end = { outcome: 'complete' } as const;
      const last = { bytes: NOTHING, next: formatOffset(position), upToDate: true, end };
      res.end(encoder.encode(last, CURSOR, true));
    });
  res.on('drain', () => body.resume());
};

/** Batches all chunks that arrive during a flush into one write and one flush. */
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

/** Flushes each chunk to the file at `path` before sending it. */
export function passFlushed(path: string): Pass {
  const write = flusher(path);
  return (body, res) => {
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

/**
 * Appends each chunk to a stream on the Durable Streams server at `url` with a bare undici client before sending it. One
 * append is in flight per stream, and what arrives meanwhile goes into the next one.
 */
export function passAppended(url: string): Pass {
  const { origin, pathname } = new URL(url);
  const pool = new Pool(origin, { connections: 64 });
  const headers = { 'content-type': 'application/octet-stream' };
  return (body, res) => {
    const path = `${pathname}${randomUUID()}`;
    let due: Buffer[] = [];
    let isEnded = false;
    let isBusy = true;
    const send = async (method: 'PUT' | 'POST', chunk: Buffer | null): Promise<void> => {
      const { statusCode, body: answer } = await pool.request({ method, path, headers, body: chunk });
      await answer.dump();
      if (statusCode >= 300) throw new Error(`${method} was answered with ${statusCode}`);
    };
    const run = async (): Promise<void> => {
      isBusy = true;
      while (due.length > 0) {
        const chunk = Buffer.concat(due);
        due = [];
        await send('POST', chunk);
        res.write(chunk);
      }
      isBusy = false;
      if (isEnded) res.end();
    };
    const start = (): void => void run().catch(() => res.destroy());
    body
      .on('data', (chunk: Buffer) => {
        due.push(chunk);
        if (!isBusy) start();
      })
      .on('end', () => {
        isEnded = true;
        if (!isBusy) res.end();
      });
    send('PUT', null).then(start, () => res.destroy());
  };
}
