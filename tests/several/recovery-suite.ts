import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { UPSTREAM_RECOVERIES } from '../../protocol/headers.ts';
import { SECRET } from '../support/proxy.ts';
import { startProxyProcess, type ProxyProcess, type ProxyProcessOptions } from '../support/process.ts';
import {
  startResumableProvider,
  textsIn,
  textsOf,
  type ResumableProvider,
} from '../support/resumable-provider.ts';
import { locationOf, post, readSse, withQuery } from '../support/wire.ts';

export interface RecoveryBackend {
  readonly options: ProxyProcessOptions;
  stop(): Promise<void>;
}

const EVENTS = 60;
/** Milliseconds that an empty Node process takes on a machine that is not busy. */
const USUAL_MS = 100;
const BODY = JSON.stringify({ background: true, stream: true });

async function duration(action: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await action();
  return Math.round(performance.now() - begun);
}

/**
 * Tests of answers whose process is killed, suspended or shut down.
 * @param count processes on the store. A single one is restarted; with more, the others continue.
 */
export function describeRecovery(count: number, startBackend: () => Promise<RecoveryBackend>): void {
  let backend: RecoveryBackend;
  let proxies: ProxyProcess[];
  let provider: ResumableProvider | undefined;

  beforeAll(async () => {
    backend = await startBackend();
    proxies = await Promise.all(Array.from({ length: count }, () => startProxyProcess(backend.options)));
  }, 60_000);
  afterEach(async () => {
    await provider?.close();
    provider = undefined;
  });
  afterAll(async () => {
    await Promise.all(proxies.map((proxy) => proxy.kill('SIGKILL')));
    await backend.stop();
  });

  /** Ends the first process by a signal, and starts another one: before the end of the first if the store allows. */
  async function restart(signal: NodeJS.Signals): Promise<number | null> {
    const [first, ...others] = proxies as [ProxyProcess, ...ProxyProcess[]];
    const code = await first.kill(signal);
    proxies = [...others, await startProxyProcess(backend.options)];
    return code;
  }

  /** @param firstGapMs milliseconds between two events of the first connection of each answer. The last ones are fast. */
  async function begin(seeds: readonly number[], firstGapMs = 250): Promise<string[]> {
    const gapMs = (connection: number): number => [firstGapMs, 100][connection] ?? 5;
    provider = await startResumableProvider({ kind: 'openai', events: EVENTS, gapMs });
    const created = await Promise.all(
      seeds.map((seed) => post(proxies[0]!, provider!.urlOf(seed), { body: BODY })),
    );
    return created.map((response) => locationOf(proxies[0]!, response));
  }

  const here = (url: string): string => url.replace(/^http:\/\/[^/]+/, proxies[0]!.url);
  const live = (url: string): Promise<Response> => fetch(withQuery(here(url), { live: 'sse' }));

  /** Reads until some text is stored. */
  const untilText = async (url: string): Promise<void> => {
    await readSse(await live(url), ({ bytes }) => textsIn(bytes).length > 2);
  };

  async function expectWhole(urls: readonly string[], seeds: readonly number[]): Promise<void> {
    await Promise.all(
      urls.map(async (url, i) => {
        const { bytes, controls } = await readSse(await live(url));
        expect(textsIn(bytes)).toEqual(textsOf(seeds[i]!, EVENTS));
        expect(controls.at(-1)).toMatchObject({ streamClosed: true, upstreamOutcome: 'complete' });
      }),
    );
    expect(provider!.begun.toSorted((a, b) => a - b)).toEqual(seeds);
  }

  it('[RECOVER-9] continues the answers of a process that was killed, again and again, one resume at a time', async () => {
    const seeds = [1, 2, 3, 4, 5];
    const urls = await begin(seeds);
    // Only its first event contains the id of the answer at the provider.
    await Promise.all(urls.map(untilText));
    await restart('SIGKILL');
    await expect
      .poll(() => provider!.calls.filter(({ req }) => req.method === 'GET').length, { timeout: 20_000 })
      .toBeGreaterThanOrEqual(seeds.length);
    await restart('SIGKILL');
    await expectWhole(urls, seeds);
    expect([...provider!.mostAtATime.values()]).toEqual(seeds.map(() => 1));
    const head = await fetch(here(urls[0]!).split('?')[0]!, {
      method: 'HEAD',
      headers: { authorization: `Bearer ${SECRET}` },
    });
    expect(Number(head.headers.get(UPSTREAM_RECOVERIES))).toBeGreaterThanOrEqual(1);
  }, 60_000);

  it('[RECOVER-10] hands 50 answers over when it shuts down, in 2 s and without waiting for one of them', async ({
    annotate,
  }) => {
    const seeds = Array.from({ length: 50 }, (_, i) => i + 1);
    // One minute, so that no answer ends by itself.
    const urls = await begin(seeds, 1_000);
    const readers = Promise.all(urls.map(async (url) => readSse(await live(url))));
    // Awaited below, unless the drain fails.
    readers.catch(() => undefined);
    await Promise.all(urls.map(untilText));
    const first = provider!.calls.slice(0, seeds.length);
    const [drainMs, emptyMs] = await Promise.all([
      duration(async () => expect(await proxies[0]!.kill('SIGTERM')).toBe(0)),
      duration(() => promisify(execFile)(process.execPath, ['-e', ''])),
    ]);
    expect(first.filter(({ res }) => res.writableEnded)).toHaveLength(0);
    await annotate(`SIGTERM to exit: ${drainMs} ms; an empty Node process: ${emptyMs} ms`);
    expect(drainMs).toBeLessThan(2_000 * Math.max(1, emptyMs / USUAL_MS));
    for (const { controls } of await readers) expect(controls.at(-1)?.streamClosed).toBeFalsy();
    await restart('SIGTERM');
    await expectWhole(urls, seeds);
  }, 90_000);

  if (count === 1) return;

  it('[RECOVER-9] a process that was suspended past its lease writes nothing when it wakes up', async () => {
    const [url] = (await begin([9])) as [string];
    await untilText(url);
    const [suspended, ...others] = proxies as [ProxyProcess, ...ProxyProcess[]];
    process.kill(suspended.pid, 'SIGSTOP');
    proxies = [...others, suspended];
    await expectWhole([url], [9]);
    const before = Buffer.from(await (await fetch(here(url))).arrayBuffer());
    process.kill(suspended.pid, 'SIGCONT');
    // It learns from the store that the stream is no longer its own, and leaves the provider.
    await (
      await provider!.call(0)
    ).closed;
    expect(Buffer.from(await (await fetch(here(url))).arrayBuffer())).toEqual(before);
  }, 60_000);
}
