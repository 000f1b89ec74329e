import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Agent, fetch as undiciFetch } from 'undici';
import { createDurableFetch, MemoryStorage, type Outcome } from '../../core-client/index.ts';
import { startRedis } from '../store/redis/servers.ts';
import { startProxyProcess, type ProxyProcess } from '../support/process.ts';
import { SECRET } from '../support/proxy.ts';
import { seeded } from '../support/random.ts';
import { startResumableProvider, textsIn, textsOf } from '../support/resumable-provider.ts';
import { startUpstream, write, type UpstreamCall } from '../support/upstream.ts';
import { startBalancer } from './balancer.ts';

/**
 * Faults at scale: many streams over three proxies and one Redis, behind a balancer without stickiness, while
 * proxies are killed and the store's connections are cut. Every stream that ends `complete` must have exactly the
 * bytes of its upstream, no read may hang, and no upstream request may remain.
 *
 *     npm run soak -- --seconds 600 --streams 200 --kill-every 20 --seed 1
 *
 * With `--recoverable`, the upstream can continue its streams, and every answer has to be whole and `complete`. Counted apart
 * are answers that cannot be continued: their process was killed before the first event, which names the answer to the
 * provider, was stored (`unnamed`), or before the create was answered (`failed`, `INTERRUPTED`).
 */
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    streams: { type: 'string', default: '200' },
    'kill-every': { type: 'string', default: '20' },
    /** Chance of a cut of the store's connections, each second; above 1, several of them. */
    cuts: { type: 'string', default: '0.3' },
    seed: { type: 'string', default: '1' },
    recoverable: { type: 'boolean', default: false },
  },
});
const seconds = Number(values.seconds);
const concurrent = Number(values.streams);
const killEverySeconds = Number(values['kill-every']);
const cutsPerSecond = Number(values.cuts);
const random = seeded(Number(values.seed));

/** Milliseconds without a byte after which a read counts as hung: a dead process is detected within ten seconds. */
const HANG_MS = 45_000;
const PIECES = 40;

const tally = { streams: 0, bytes: 0, kills: 0, cuts: 0, lost: 0, twice: 0, hung: 0, failed: 0, unnamed: 0 };
const outcomes: Partial<Record<Outcome, number>> = {};
/** Why creates failed. */
const failures: Record<string, number> = {};
const faults: string[] = [];
let upstreamsRunning = 0;

/** Returns the upstream's response for a seed, so that a reader can compute the expected bytes. */
function expected(seed: number): Buffer {
  const bytes = seeded(seed);
  return Buffer.from(
    Array.from({ length: 2_000 + Math.floor(bytes() * 6_000) }, () => Math.floor(bytes() * 256)),
  );
}

async function answer({ req, res }: UpstreamCall): Promise<void> {
  const seed = Number(new URL(req.url!, 'http://upstream').searchParams.get('seed'));
  const body = expected(seed);
  const gap = seeded(seed + 1);
  upstreamsRunning += 1;
  res.once('close', () => (upstreamsRunning -= 1)).on('error', () => undefined);
  const size = Math.ceil(body.length / PIECES);
  for (let at = 0; at < body.length && !res.destroyed; at += size) {
    await write(res, body.subarray(at, at + size)).catch(() => undefined);
    await pause(20 + gap() * 150);
  }
  res.end();
}

/** Waits by the clock, because the soak runs for a given time. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const redis = await startRedis();
const proxies: ProxyProcess[] = await Promise.all(
  [1, 2, 3].map(() => startProxyProcess({ redis: redis.url })),
);
const provider = values.recoverable
  ? await startResumableProvider({ kind: 'openai', events: PIECES, gapMs: 100 })
  : undefined;
const upstream = provider ?? (await startUpstream((call) => void answer(call)));
const balancer = await startBalancer(() => proxies.map(({ url }) => url), random);

/** Uses most connections for one request only: kept ones would accumulate at the proxy that is never killed. */
const dispatcher = new Agent({ keepAliveTimeout: 1, keepAliveMaxTimeout: 1 });
const fetchAnew = ((url: string, init: object) => undiciFetch(url, { ...init, dispatcher })) as typeof fetch;

async function readOne(): Promise<void> {
  const seed = Math.floor(random() * 2 ** 31);
  const durableFetch = createDurableFetch({
    proxyUrl: `${balancer.url}/v1/proxy`,
    proxyAuthorization: SECRET,
    storage: new MemoryStorage(),
    fetch: fetchAnew,
  });
  const whole = expected(seed);
  const read: Buffer[] = [];
  tally.streams += 1;
  let watchdog: NodeJS.Timeout | undefined;
  const hang = new Promise<'hung'>((resolve) => {
    watchdog = setTimeout(() => resolve('hung'), HANG_MS);
  });
  let streamUrl: string | undefined;
  const abandoned = new AbortController();
  const run = async (): Promise<Outcome | 'failed'> => {
    const response = await durableFetch(provider?.urlOf(seed) ?? `${upstream.url}/?seed=${seed}`, {
      method: 'POST',
      body: provider ? JSON.stringify({ background: true, stream: true }) : String(seed),
      signal: abandoned.signal,
    });
    if (!response.ok) return failed(seed, `status ${response.status}`);
    ({ streamUrl } = response);
    try {
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        read.push(Buffer.from(chunk));
        watchdog?.refresh();
      }
    } catch {
      // The outcome says why.
    }
    return response.outcome;
  };
  const result = await Promise.race([run().catch((error: unknown) => failed(seed, error)), hang]);
  clearTimeout(watchdog);
  const bytes = Buffer.concat(read);
  tally.bytes += bytes.length;
  if (result === 'hung') {
    tally.hung += 1;
    const stage = streamUrl
      ? `${textsIn(await storedBytes(streamUrl)).length} events are stored`
      : 'no response';
    faults.push(`seed ${seed} hung after ${bytes.length} bytes: ${stage}`);
    // Otherwise it would run at the same time as the next one.
    abandoned.abort();
  } else if (result === 'failed') {
    tally.failed += 1;
  } else {
    outcomes[result] = (outcomes[result] ?? 0) + 1;
    if (provider) return checkRecovered(seed, result, bytes, streamUrl);
    const exact = result === 'complete' ? bytes.equals(whole) : bytes.equals(whole.subarray(0, bytes.length));
    if (!exact) await report(seed, result, bytes, whole, streamUrl);
  }
}

/** Counts a create that failed. Its process may be killed before it responds; there is no other reason. */
function failed(seed: number, reason: unknown): 'failed' {
  const { code, message } = reason as { code?: string; message?: string };
  const name = code ?? message ?? String(reason);
  failures[name] = (failures[name] ?? 0) + 1;
  if (name !== 'INTERRUPTED') faults.push(`seed ${seed} failed: ${name}`);
  return 'failed';
}

/** Reads what the store holds of a stream. */
function storedBytes(streamUrl: string | undefined): Promise<Buffer> {
  return fetch(streamUrl ?? balancer.url).then(
    async (again) => Buffer.from(await again.arrayBuffer()),
    () => Buffer.alloc(0),
  );
}

/** Counts an answer of the stand-in provider that is not whole, or holds an event twice. */
async function checkRecovered(
  seed: number,
  outcome: Outcome,
  bytes: Buffer,
  streamUrl: string | undefined,
): Promise<void> {
  const texts = textsIn(bytes);
  const whole = textsOf(seed, PIECES);
  if (outcome === 'complete' && texts.join('') === whole.join('')) return;
  const stored = await storedBytes(streamUrl);
  if (outcome === 'interrupted' && bytes.length === 0 && stored.length === 0) {
    tally.unnamed += 1;
    return;
  }
  if (new Set(texts).size < texts.length) tally.twice += 1;
  else if (texts.length < whole.length) tally.lost += 1;
  faults.push(
    `seed ${seed}, ${outcome}: ${texts.length} of ${whole.length} events were read, ${JSON.stringify(texts[0])} ` +
      `to ${JSON.stringify(texts.at(-1))}; ${textsIn(stored).length} are stored`,
  );
}

/** Returns where an answer differs, and whether the stored bytes or the bytes of the read are wrong. */
async function report(
  seed: number,
  outcome: Outcome,
  bytes: Buffer,
  whole: Buffer,
  streamUrl: string | undefined,
): Promise<void> {
  tally[bytes.length > whole.length ? 'twice' : 'lost'] += 1;
  const stored = await storedBytes(streamUrl);
  faults.push(
    `seed ${seed}, ${outcome}: ${bytes.length} bytes where ${whole.length} were sent in pieces of ` +
      `${Math.ceil(whole.length / PIECES)}; they differ from ${difference(bytes, whole)} on; ` +
      `the store holds ${stored.length}, which differ from ${difference(stored, whole)} on`,
  );
}

function difference(some: Buffer, whole: Buffer): number {
  const at = whole.findIndex((byte, index) => some[index] !== byte);
  return at < 0 ? whole.length : at;
}

/** Resident memory and open sockets of a proxy (proc(5)). */
function footprint({ pid }: ProxyProcess): { megabytes: number; sockets: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const sockets = readdirSync(`/proc/${pid}/fd`).filter((fd) => isSocket(`/proc/${pid}/fd/${fd}`));
  return {
    megabytes: Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024),
    sockets: sockets.length,
  };
}

function isSocket(path: string): boolean {
  try {
    return readlinkSync(path).startsWith('socket:');
  } catch {
    // Closed since.
    return false;
  }
}

/** One proxy is never killed: its memory and sockets must not grow. The others are killed in turn. */
const [survivor] = proxies as [ProxyProcess, ...ProxyProcess[]];
const atRest = footprint(survivor);
const inUse: ReturnType<typeof footprint>[] = [];

const end = performance.now() + seconds * 1_000;
const readers = Array.from({ length: concurrent }, async () => {
  await pause(random() * 3_000);
  while (performance.now() < end) await readOne();
});
let victim = 1;
let lastKill = performance.now();
while (performance.now() < end) {
  await pause(1_000 / Math.max(1, cutsPerSecond));
  // All kinds of connections, not only those for notifications.
  if (random() < cutsPerSecond) {
    tally.cuts += 1;
    await redis.command('CLIENT', 'KILL', 'TYPE', random() < 0.5 ? 'normal' : 'pubsub', 'SKIPME', 'yes');
  }
  if (performance.now() - lastKill < killEverySeconds * 1_000) continue;
  lastKill = performance.now();
  await proxies[victim]!.kill('SIGKILL');
  tally.kills += 1;
  proxies[victim] = await startProxyProcess({ redis: redis.url });
  victim = victim === 1 ? 2 : 1;
  const now = footprint(survivor);
  inUse.push(now);
  console.log(
    `${Math.round((performance.now() - end) / 1_000 + seconds)} s: killed one; ${tally.streams} streams; ` +
      `the remaining process holds ${now.megabytes} MB, ${now.sockets} sockets`,
  );
}
await Promise.all(readers);
// Streams without readers end by themselves. Any that remain, and their sockets, would be leaks.
const upstreamsLeft = async () => (provider ? await provider.connections() : upstreamsRunning);
const isQuiet = async (): Promise<boolean> =>
  (await upstreamsLeft()) === 0 && footprint(survivor).sockets <= atRest.sockets;
for (let waited = 0; !(await isQuiet()) && waited < 30; waited += 1) await pause(1_000);
const atEnd = footprint(survivor);
if (atEnd.sockets > atRest.sockets) {
  faults.push(`${atEnd.sockets} sockets stayed open, where there were ${atRest.sockets} before`);
}
/** In the middle of the first half, when all code is loaded and all buffers are allocated, and at the last kill. */
const [early, late] = [inUse[Math.floor(inUse.length / 4)], inUse.at(-1)];
if (early && late && late.megabytes > early.megabytes * 1.5) {
  faults.push(`memory grew from ${early.megabytes} to ${late.megabytes} MB`);
}
if (provider && new Set(provider.begun).size < provider.begun.length) {
  faults.push('an answer was generated twice');
}
const left = await upstreamsLeft();
console.table([{ ...tally, 'upstreams left': left }]);
console.table([outcomes]);
if (tally.failed > 0) console.table([failures]);
console.table({ 'at rest': atRest, early, late, 'at the end': atEnd });
for (const fault of faults.slice(0, 20)) console.error(fault);
await dispatcher.destroy();
await balancer.close();
await Promise.all(proxies.map((proxy) => proxy.kill('SIGKILL')));
await upstream.close();
await redis.stop();
process.exit(faults.length === 0 && left === 0 && (outcomes.complete ?? 0) > 0 ? 0 : 1);
