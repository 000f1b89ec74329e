import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { expiriesUntil, TRASH_STREAMS } from '../../server/store/embedded/keys.ts';
import { EmbeddedStore } from '../../server/store/embedded/store.ts';
import { nowMs } from '../clock.ts';

/**
 * Runs a task on the embedded store in a separate process, and prints a line of JSON.
 * `fill <dataDir> <streams>`: makes finished streams. `open <dataDir>`: opens the store.
 * `sweep <dataDir> <streams>`: creates streams that expire soon, and waits until they are deleted.
 */
const [task, dataDir, count = '0'] = process.argv.slice(2) as [string, string, string?];

const CHUNK = Buffer.alloc(200, 'x');
/** Streams made at once. */
const BATCH = 500;
const DAY_SECONDS = 86_400;
/** Long enough to create all of them before the first expires. */
const SWEEP_TTL_SECONDS = 3;

const begunMs = nowMs();
const store = new EmbeddedStore({ dataDir, durability: 'disk', sweepIntervalMs: 1_000 });
await store.open();
const openMs = nowMs() - begunMs;

async function fill(streams: number, ttlSeconds: number): Promise<void> {
  for (let from = 0; from < streams; from += BATCH) {
    const made = Array.from({ length: Math.min(BATCH, streams - from) }, async (_, i) => {
      const id = `finished-${process.pid}-${from + i}`;
      await store.create(id, { contentType: 'text/event-stream', ttlSeconds, metadata: {} });
      await store.close(id, { outcome: 'complete' }, CHUNK);
    });
    await Promise.all(made);
  }
}

async function sweep(): Promise<{ sweepMs: number; pauseMs: number }> {
  const { disk } = store;
  await fill(Number(count), SWEEP_TTL_SECONDS);
  while (disk.entries(expiriesUntil(Date.now()), 1).length === 0) await delay(1);
  const loop = monitorEventLoopDelay({ resolution: 1 });
  loop.enable();
  const from = nowMs();
  // Counts the streams with a short TTL, expired or not. The others have a TTL of one day.
  const isBusy = () => {
    const expiring = disk.entries(expiriesUntil(Date.now() + 60_000), 1);
    return expiring.length + disk.keys(TRASH_STREAMS, 1).length > 0;
  };
  while (isBusy()) await delay(10);
  const sweepMs = nowMs() - from;
  loop.disable();
  return { sweepMs, pauseMs: loop.max / 1e6 };
}

if (task === 'fill') await fill(Number(count), DAY_SECONDS);
const swept = task === 'sweep' ? await sweep() : {};
await store.dispose();
console.log(JSON.stringify({ openMs, ...swept }));
