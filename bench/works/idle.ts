import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { PREFER } from '../../protocol/headers.ts';
import { LIVE, LIVE_SSE } from '../../protocol/query.ts';
import { temporaryFolder } from '../peers/index.ts';
import { ServerProcess } from '../processes.ts';
import { BENCH_SECRET, post, record } from '../read.ts';
import type { Bench, Measured, Target, Work } from '../work.ts';

export interface IdleOptions {
  readonly name: string;
  readonly readers: number;
  readonly keepAliveMs: number;
  /** How long the readers wait. Several keep-alive intervals. */
  readonly waitMs: number;
  readonly targets: readonly Target[];
}

interface Account {
  readonly pauseMs: number;
  readonly residentBytes: number;
}

export const IDLE = 'durable-proxy, disk';
/** Readers of one stream. */
const READERS_PER_STREAM = 1_000;
/** Connections opened at once: fewer than the kernel queues for a listener. */
const BATCH = 200;

/** Live readers of streams that send nothing. */
export function idleReaders(options: IdleOptions): Work {
  const { name, readers, waitMs, targets } = options;
  return {
    name,
    title: `${readers} idle live readers for ${waitMs / 1_000} s`,
    metrics: [
      { key: 'pause', title: 'longest event-loop pause ms', digits: 1 },
      { key: 'perReader', title: 'kB/reader', digits: 1 },
      { key: 'cpu', title: 'CPU s', digits: 2 },
    ],
    targets,
    warmsUp: true,
    async run(bench) {
      const folder = await temporaryFolder();
      const args = [folder.path, String(options.keepAliveMs)];
      const server = await ServerProcess.node('./works/idle-child.ts', args, { BENCH_SECRET }, [
        '--expose-gc',
      ]);
      const sockets: Socket[] = [];
      try {
        return { [IDLE]: await measure(bench, server, sockets, options) };
      } finally {
        for (const socket of sockets) socket.destroy();
        await server.stop();
        await folder.remove();
      }
    },
  };
}

async function measure(
  bench: Bench,
  server: ServerProcess,
  sockets: Socket[],
  { readers, waitMs, keepAliveMs }: IdleOptions,
): Promise<Measured> {
  const urls: URL[] = [];
  for (let left = readers; left > 0; left -= READERS_PER_STREAM) urls.push(await idleStream(bench, server));
  // The code of a read is loaded and compiled before the memory is measured.
  await connectAll(urls, BATCH, sockets);
  const before = await account(bench, server);
  await connectAll(urls, readers - BATCH, sockets);
  const heard = sockets.map((socket) => socket.bytesRead);
  // Begins a new measurement of the longest pause.
  await account(bench, server);
  const used = server.watch();
  await delay(waitMs);
  const { cpuSeconds } = used();
  const after = await account(bench, server);
  const silent = sockets.filter((socket, i) => socket.destroyed || socket.bytesRead === heard[i]).length;
  return {
    values: {
      pause: after.pauseMs,
      perReader: (after.residentBytes - before.residentBytes) / 1e3 / (readers - BATCH),
      cpu: cpuSeconds,
    },
    fault:
      silent === 0 ? undefined : `${silent} readers got no keep-alive in ${waitMs / keepAliveMs} intervals`,
  };
}

/** Creates a stream that sends nothing, and returns the URL of a live read. */
async function idleStream(bench: Bench, server: ServerProcess): Promise<URL> {
  const source = { url: `${server.url}/v1/proxy`, durable: true };
  const upstream = `${bench.upstream}/?chunks=1&gate=${randomUUID()}`;
  const { headers } = await record(bench.agent, post(source, upstream, { [PREFER]: '' }));
  const url = new URL(String(headers['location']), server.url);
  url.searchParams.set(LIVE, LIVE_SSE);
  return url;
}

/** Opens reads over plain sockets, in turn for each stream, and waits for the first event of each. */
async function connectAll(urls: readonly URL[], count: number, sockets: Socket[]): Promise<void> {
  for (let from = 0; from < count; from += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, count - from) }, async () => {
      const { host, hostname, port, pathname, search } = urls[sockets.length % urls.length]!;
      const socket = connect(Number(port), hostname);
      sockets.push(socket);
      await once(socket, 'connect');
      socket.write(`GET ${pathname}${search} HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
      await once(socket, 'data');
      socket.on('error', () => undefined).resume();
    });
    await Promise.all(batch);
  }
}

async function account(bench: Bench, { url }: ServerProcess): Promise<Account> {
  const { pieces } = await record(bench.agent, { url: `${url}/account`, method: 'GET' });
  return JSON.parse(Buffer.concat(pieces).toString()) as Account;
}
