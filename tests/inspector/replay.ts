import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { PageFiles } from '../../server/inspector/http/page-files.ts';
import { Recorder } from '../../server/inspector/record/recorder.ts';
import type { InspectorMessage, ProcessFrame } from '../../server/inspector/wire/types.ts';

/** Milliseconds between two messages, as in the inspector. */
const TICK_MS = 500;

export interface Replay {
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * Serves the page with the messages of a proxy whose answers all grow from message to message. There is no proxy and no
 * answer, so that a test measures the page alone.
 */
export async function startReplay(running: number): Promise<Replay> {
  const process = randomUUID();
  const recorder = new Recorder({
    processId: process,
    bytesOf: () => undefined,
    running: () => running,
    isDraining: () => false,
  });
  for (let index = 0; index < running; index += 1) {
    const about = {
      streamId: randomUUID(),
      subject: `user-${index}`,
      upstream: 'https://api.example.com/v1/chat',
    };
    recorder.onEvent({ type: 'created', headersMs: 100, ...about });
  }
  const whole = recorder.frameSince(undefined);
  const files = new PageFiles();
  const app = express();
  app.get('/api/events', (_req, res) => {
    const send = (frame: ProcessFrame) => {
      const message: InspectorMessage = { at: Date.now(), self: process, peers: [], frames: [frame] };
      res.write(`data: ${JSON.stringify(message)}\n\n`);
    };
    res.type('text/event-stream');
    send(whole);
    let count = 0;
    const timer = setInterval(() => {
      count += 1;
      const ticks = whole.rows.map(
        ({ n }) => [n, count * (1_000 + ((n * 7_919) % running)), count % 3] as const,
      );
      send({ process, summary: whole.summary, rows: [], ticks, gone: [], elsewhere: {} });
    }, TICK_MS);
    res.once('close', () => clearInterval(timer));
  });
  app.get('/{:name}', async (req, res) => {
    const file = await files.get(req.path.slice(1));
    if (file) res.type(file.contentType).send(file.bytes);
    else res.sendStatus(404);
  });
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
