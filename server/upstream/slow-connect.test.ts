import { once } from 'node:events';
import { connect, type LookupFunction } from 'node:net';
import { text } from 'node:stream/consumers';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { requestTo, testClient } from './stand-in.ts';

/** A server whose thread is held after it listens, so that it accepts no connection until it is released. */
const HELD_SERVER = `
  const { workerData, parentPort } = require('node:worker_threads');
  const server = require('node:http').createServer((req, res) => res.end('reached'));
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    parentPort.postMessage(server.address().port);
    Atomics.wait(new Int32Array(workerData), 0, 0);
  });
`;

it('reaches an upstream that takes a second to accept a connection, although its other address is unreachable', async () => {
  const held = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(HELD_SERVER, { eval: true, workerData: held.buffer });
  let connects!: () => void;
  const connecting = new Promise<void>((resolve) => (connects = resolve));
  const lookup: LookupFunction = (_hostname, _options, callback) => {
    const addresses = ['127.0.0.1', '127.0.0.2'];
    callback(
      null,
      addresses.map((address) => ({ address, family: 4 })),
    );
    setImmediate(connects);
  };
  const client = testClient({ lookup });
  try {
    const [port] = (await once(worker, 'message')) as [number];
    // Fills the queue of connections (backlog + 1). The kernel drops the next SYN, which TCP repeats after a second.
    const fillers = [0, 1].map(() => connect(port, '127.0.0.1'));
    await Promise.all(fillers.map((socket) => once(socket, 'connect')));
    const answer = client.request(requestTo(new URL(`http://distant.example:${port}/`)));
    await connecting;
    Atomics.store(held, 0, 1);
    Atomics.notify(held, 0);
    expect(await text((await answer).body)).toBe('reached');
    for (const socket of fillers) socket.destroy();
  } finally {
    await client.close();
    await worker.terminate();
  }
});
