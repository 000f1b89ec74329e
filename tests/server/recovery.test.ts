import { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import { createDurableFetch, MemoryStorage } from '../../core-client/index.ts';
import { STREAM_CLOSED, UPSTREAM_OUTCOME, UPSTREAM_RECOVERIES } from '../../protocol/headers.ts';
import { lastEventIdRecovery, type ProxyEvent } from '../../server/index.ts';
import { SECRET, startProxy, type TestProxy } from '../support/proxy.ts';
import { seeded } from '../support/random.ts';
import {
  startResumableProvider,
  textsIn,
  textsOf,
  type Cut,
  type CutPlace,
  type ProviderKind,
  type ProviderOptions,
  type ResumableProvider,
} from '../support/resumable-provider.ts';
import { write, type UpstreamCall } from '../support/upstream.ts';
import { locationOf, post, readSse, withQuery } from '../support/wire.ts';

const KINDS: ProviderKind[] = ['openai', 'gemini', 'last-event-id'];
const BODY = JSON.stringify({ background: true, stream: true });
const ANSWERS = 40;
const CUTS_EACH = 5;
const EVENTS = 60;
const PLACES: CutPlace[] = [
  'before the first event',
  'between CR and LF',
  'inside a character',
  'inside an event',
  'between events',
];

let proxy: TestProxy | undefined;
let provider: ResumableProvider | undefined;
const events: ProxyEvent[] = [];

afterEach(async () => {
  await proxy?.stop({ drainMs: 0 });
  await provider?.close();
  proxy = provider = undefined;
  events.length = 0;
});

async function start(options: ProviderOptions, proxyOptions: Parameters<typeof startProxy>[0] = {}) {
  provider = await startResumableProvider(options);
  proxy = await startProxy({
    ...(options.kind === 'last-event-id' && {
      recovery: [lastEventIdRecovery({ match: `${provider.url}/**` })],
    }),
    onEvent: (event) => events.push(event),
    ...proxyOptions,
  });
}

async function create(seed: number, headers: Record<string, string> = {}): Promise<string> {
  const init = { body: BODY, headers: { 'content-type': 'application/json', ...headers } };
  const created = await post(proxy!, provider!.urlOf(seed), init);
  expect(created.status).toBe(201);
  return locationOf(proxy!, created);
}

async function read(url: string) {
  const { bytes, controls } = await readSse(await fetch(withQuery(url, { live: 'sse' })));
  return { texts: textsIn(bytes), bytes, outcome: controls.at(-1)?.upstreamOutcome };
}

const durableFetch = () =>
  createDurableFetch({
    proxyUrl: proxy!.base,
    proxyAuthorization: SECRET,
    storage: new MemoryStorage(),
  });

const recovered = () => events.flatMap((event) => (event.type === 'recovered' ? [event] : []));

/** Cuts a response at random bytes, often at critical ones. Most providers send the id of a response in its first event. */
function randomCut(kind: ProviderKind, seed: number, connection: number): Cut | undefined {
  if (connection >= CUTS_EACH) return undefined;
  const random = seeded(seed * 7_919 + connection);
  const how = (['reset', 'close', 'end'] as const)[Math.floor(random() * 3)]!;
  // A generic stream has no end marker, so a clean end of the body is its end.
  const isGeneric = kind === 'last-event-id';
  const least = connection === 0 && !isGeneric ? 250 : 0;
  const to = PLACES[Math.floor(random() * PLACES.length)]!;
  const most = to === 'before the first event' ? 1 : isGeneric ? 250 : 700;
  return { after: least + Math.floor(random() * most), to, how: isGeneric && how === 'end' ? 'close' : how };
}

describe('a stream whose upstream breaks', () => {
  it.each(KINDS)(
    '[RECOVER-1][RECOVER-2] continues after 200 random cuts, with each event once: %s',
    async (kind) => {
      await start({ kind, events: EVENTS, cut: (seed, connection) => randomCut(kind, seed, connection) });
      const seeds = Array.from({ length: ANSWERS }, (_, i) => i + 1);
      await Promise.all(
        seeds.map(async (seed) => {
          const { texts, outcome } = await read(await create(seed));
          expect(texts, `seed ${seed}`).toEqual(textsOf(seed, EVENTS));
          expect(outcome, `seed ${seed}`).toBe('complete');
        }),
      );
      expect(provider!.begun.toSorted((a, b) => a - b)).toEqual(seeds);
      expect([...provider!.mostAtATime.values()].every((most) => most === 1)).toBe(true);
      expect(provider!.cuts).toHaveLength(ANSWERS * CUTS_EACH);
      for (const place of PLACES) {
        expect(provider!.cuts.filter((cut) => cut === place).length, place).toBeGreaterThanOrEqual(10);
      }
    },
    60_000,
  );

  it('is not noticed by the openai package, which reads every event once', async () => {
    await start({ kind: 'openai', cut: (seed, connection) => randomCut('openai', seed, connection) });
    const openai = new OpenAI({
      apiKey: 'sk-caller',
      baseURL: `${provider!.url}/v1`,
      maxRetries: 0,
      fetch: durableFetch(),
    });
    const body = { model: 'm', input: 'question', background: true, stream: true } as const;
    const deltas: string[] = [];
    const numbers: number[] = [];
    for await (const event of await openai.responses.create(body, { query: { seed: '11' } })) {
      numbers.push(event.sequence_number);
      if (event.type === 'response.output_text.delta') deltas.push(event.delta);
    }
    expect(deltas).toEqual(textsOf(11));
    expect(numbers).toEqual(numbers.map((_, i) => i));
    expect(provider!.calls.length).toBe(1 + CUTS_EACH);
  });

  it('is not noticed by the @google/genai package, which reads every event once', async () => {
    await start({ kind: 'gemini', cut: (seed, connection) => randomCut('gemini', seed, connection) });
    const gemini = new GoogleGenAI({
      apiKey: 'the key of the caller',
      httpOptions: { baseUrl: `${provider!.url}/seed_11`, fetch: durableFetch() },
    });
    const stream = await gemini.interactions.create({ model: 'm', input: 'question', stream: true });
    const texts: string[] = [];
    const ids: (string | undefined)[] = [];
    for await (const event of stream) {
      ids.push(event.event_id);
      if (event.event_type === 'step.delta' && event.delta.type === 'text') texts.push(event.delta.text);
    }
    expect(texts).toEqual(textsOf(11));
    expect(ids).toEqual(ids.map((_, i) => `event-${i}`));
    expect(provider!.calls.length).toBe(1 + CUTS_EACH);
  });

  it('[RECOVER-7] reports to readers and listeners how often it was continued', async () => {
    await start({ kind: 'openai', cut: (_, n) => (n < 2 ? { after: 400, how: 'reset' } : undefined) });
    const url = await create(1);
    expect((await read(url)).outcome).toBe('complete');
    const head = await fetch(url.split('?')[0]!, {
      method: 'HEAD',
      headers: { authorization: `Bearer ${SECRET}` },
    });
    expect(head.headers.get(UPSTREAM_RECOVERIES)).toBe('2');
    expect((await fetch(url)).headers.get(UPSTREAM_RECOVERIES)).toBe('2');
    expect(recovered()).toMatchObject([
      { attempt: 1, cause: 'upstream-error', adopted: false },
      { attempt: 1, cause: 'upstream-error', adopted: false },
    ]);
  });

  it('has no Upstream-Recoveries without a failure, and ignores a failure after the end', async () => {
    await start({ kind: 'gemini' });
    expect((await fetch(await create(1))).headers.get(UPSTREAM_RECOVERIES)).toBeNull();
    expect(provider!.calls).toHaveLength(1);
  });

  it('[RECOVER-3] honors Retry-After, and retries after a 5xx', async () => {
    await start({
      kind: 'openai',
      cut: (_, n) => (n === 0 ? { after: 400, how: 'close' } : undefined),
      intercept: ({ res }, _, n) => {
        if (n !== 1 && n !== 2) return false;
        res.writeHead(n === 1 ? 503 : 429, n === 2 ? { 'retry-after': '1' } : {}).end();
        return true;
      },
    });
    expect((await read(await create(1))).texts).toEqual(textsOf(1));
    expect(recovered()[0]).toMatchObject({ attempt: 3 });
    expect(recovered()[0]!.gapMs).toBeGreaterThanOrEqual(1_000);
  });

  it.each([
    ['404', 404],
    ['a redirect', 302],
    ['204', 204],
  ])('[RECOVER-4] ends as before if the upstream refuses to continue: %s', async (_title, status) => {
    await start({
      kind: 'gemini',
      cut: () => ({ after: 400, how: 'reset' }),
      intercept: ({ res }, _, n) => {
        if (n === 0) return false;
        res.writeHead(status, { location: `${provider!.url}/elsewhere` }).end();
        return true;
      },
    });
    expect((await read(await create(1))).outcome).toBe('upstream-error');
    expect(provider!.calls).toHaveLength(2);
  });

  it('[RECOVER-4] is given up after recoveryTimeoutMs without a new event', async () => {
    await start(
      {
        kind: 'openai',
        cut: () => ({ after: 400, how: 'reset' }),
        intercept: ({ res }, _, n) => n > 0 && (res.socket!.destroy(), true),
      },
      { recoveryTimeoutMs: 500 },
    );
    expect((await read(await create(1))).outcome).toBe('upstream-error');
    expect(provider!.calls.length).toBeGreaterThan(1);
  });

  it.each([
    ['comments', ': still there\n\n'],
    ['events that are stored', 'data: {"sequence_number":0}\n\n'],
  ])('[RECOVER-4] is given up after recoveryTimeoutMs with nothing but %s', async (_title, bytes) => {
    const left: Promise<void>[] = [];
    await start(
      {
        kind: 'openai',
        cut: () => ({ after: 400, how: 'reset' }),
        intercept: ({ res, closed }, _, n) => {
          if (n === 0) return false;
          res.writeHead(200, { 'content-type': 'text/event-stream' });
          const beat = setInterval(() => res.write(bytes), 20);
          left.push(closed.then(() => clearInterval(beat)));
          return true;
        },
      },
      { recoveryTimeoutMs: 500 },
    );
    expect((await read(await create(1))).outcome).toBe('upstream-error');
    expect(left.length).toBeGreaterThan(0);
    await Promise.all(left);
    expect(recovered()).toEqual([]);
  });

  it('[RECOVER-4] ends if isRepeated() of a recovery throws, and the process keeps running', async () => {
    const generic = lastEventIdRecovery({ match: 'http://127.0.0.1:*/**' });
    const isRepeated = (): boolean => {
      throw new Error('a fault of the recovery');
    };
    await start(
      { kind: 'last-event-id', cut: (_, n) => (n === 0 ? { after: 400, how: 'reset' } : undefined) },
      {
        recovery: [
          { ...generic, resume: async (stream) => ({ ...(await generic.resume(stream))!, isRepeated }) },
        ],
        recoveryTimeoutMs: 500,
      },
    );
    expect((await read(await create(1))).outcome).toBe('upstream-error');
  });

  it('[RECOVER-4][RECOVER-6] neither a stream nor an abort waits for functions of a recovery that never settle', async () => {
    const generic = lastEventIdRecovery({ match: 'http://127.0.0.1:*/**' });
    const never = () => new Promise<never>(() => undefined);
    await start(
      {
        kind: 'last-event-id',
        gapMs: 50,
        cut: (seed) => (seed === 1 ? { after: 400, how: 'reset' } : undefined),
      },
      { recovery: [{ ...generic, resume: never, cancel: never }], recoveryTimeoutMs: 500 },
    );
    expect((await read(await create(1))).outcome).toBe('upstream-error');
    const url = await create(2);
    expect((await fetch(withQuery(url, { action: 'abort' }), { method: 'PATCH' })).status).toBe(204);
  }, 15_000);

  it('[RECOVER-1] continues with an event that is too long to be held', async () => {
    const long = 'x'.repeat(9_000_000);
    await start({
      kind: 'last-event-id',
      cut: () => ({ after: 400, how: 'reset' }),
      intercept: ({ res }, _, n) => {
        if (n === 0) return false;
        res.writeHead(200, { 'content-type': 'text/event-stream' }).end(`id: last\ndata: ${long}\n\n`);
        return true;
      },
    });
    const { bytes, outcome } = await read(await create(1));
    expect(outcome).toBe('complete');
    expect(bytes.toString().endsWith(`id: last\ndata: ${long}\n\n`)).toBe(true);
  });

  it('[RECOVER-3] continues after a timeout of the upstream', async () => {
    await start(
      {
        kind: 'openai',
        intercept: ({ res }, _, n) => {
          if (n > 0) return false;
          res.writeHead(200, { 'content-type': 'text/event-stream' });
          const response = { id: 'resp_1' };
          void write(
            res,
            `data: ${JSON.stringify({ type: 'response.created', sequence_number: 0, response })}\n\n`,
          );
          return true;
        },
      },
      { upstreamInactivityTimeoutMs: 300 },
    );
    expect((await read(await create(1))).texts).toEqual(textsOf(1));
    expect(recovered()[0]).toMatchObject({ cause: 'timeout' });
  });

  it('[RECOVER-5] appends the end of the stored response when OpenAI refuses to stream it', async () => {
    let polls = 0;
    await start({
      kind: 'openai',
      cut: () => ({ after: 400, how: 'reset' }),
      intercept: ({ req, res }, _, n) => {
        if (n === 0) return false;
        if (req.url!.includes('stream=true')) {
          const message = 'This response can no longer be streamed';
          res
            .writeHead(400, { 'content-type': 'application/json' })
            .end(JSON.stringify({ error: { message } }));
        } else {
          polls += 1;
          res.writeHead(200, { 'content-type': 'application/json' });
          res.end(JSON.stringify({ id: 'resp_1', status: 'completed', output: ['the whole answer'] }));
        }
        return true;
      },
    });
    const { bytes, outcome } = await read(await create(1));
    expect(outcome).toBe('complete');
    expect(
      bytes
        .toString()
        .split(/\n\n|\r\r|\r\n\r\n/)
        .at(-2),
    ).toContain('the whole answer');
    expect(polls).toBe(1);
  });

  it('[RECOVER-6] ends when it is aborted during a recovery, and stops the provider', async () => {
    let asked!: () => void;
    const resuming = new Promise<void>((resolve) => (asked = resolve));
    await start({
      kind: 'openai',
      cut: () => ({ after: 400, how: 'reset' }),
      intercept: ({ req }, _, n) => n > 0 && !req.url!.includes('cancel') && (asked(), true),
    });
    const url = await create(7);
    const end = read(url);
    await resuming;
    const aborted = await fetch(withQuery(url, { action: 'abort' }), { method: 'PATCH' });
    expect(aborted.status).toBe(204);
    expect((await end).outcome).toBe('aborted');
    await expect.poll(() => provider!.canceled).toEqual([7]);
  });

  it.each(['abort', 'delete', 'limit'])('[RECOVER-6] stops the provider: %s', async (how) => {
    let failures = 2;
    await start(
      {
        kind: 'gemini',
        gapMs: 20,
        events: 500,
        intercept: ({ req, res }) => {
          if (!req.url!.includes('cancel') || failures === 0) return false;
          failures -= 1;
          res.writeHead(503).end();
          return true;
        },
      },
      how === 'limit' ? { maxResponseBytes: 2_000 } : {},
    );
    const url = await create(3);
    const first = await fetch(withQuery(url, { live: 'sse' }));
    await readSse(first, ({ bytes }) => bytes.includes('delta'));
    if (how === 'abort') await fetch(withQuery(url, { action: 'abort' }), { method: 'PATCH' });
    if (how === 'delete') {
      const headers = { authorization: `Bearer ${SECRET}` };
      await fetch(url.split('?')[0]!, { method: 'DELETE', headers });
    }
    await expect.poll(() => provider!.canceled, { timeout: 10_000 }).toEqual([3]);
    expect(events.some(({ type }) => type === 'cancel-failed')).toBe(false);
  });

  it('[RECOVER-6] stops many providers at a time without a warning of Node', async () => {
    const warnings: string[] = [];
    const onWarning = ({ name }: Error) => void warnings.push(name);
    process.on('warning', onWarning);
    try {
      const held: UpstreamCall[] = [];
      await start({
        kind: 'openai',
        gapMs: 50,
        intercept: (call) => call.req.url!.includes('/cancel') && held.push(call) > 0,
      });
      const urls = await Promise.all(Array.from({ length: 12 }, (_, i) => create(i + 1)));
      await Promise.all(
        urls.map(async (url) => {
          await readSse(await fetch(withQuery(url, { live: 'sse' })), ({ bytes }) => bytes.length > 0);
          await fetch(withQuery(url, { action: 'abort' }), { method: 'PATCH' });
        }),
      );
      await expect.poll(() => held.length).toBe(12);
      for (const { res } of held) res.end();
      expect(warnings).toEqual([]);
    } finally {
      process.off('warning', onWarning);
    }
  });

  it('[RECOVER-6] reports a provider that could not be stopped', async () => {
    await start({
      kind: 'gemini',
      gapMs: 20,
      events: 500,
      intercept: ({ req, res }) => req.url!.includes('cancel') && (res.writeHead(403).end(), true),
    });
    const url = await create(3);
    await readSse(await fetch(withQuery(url, { live: 'sse' })), ({ bytes }) => bytes.includes('delta'));
    await fetch(withQuery(url, { action: 'abort' }), { method: 'PATCH' });
    await expect
      .poll(() => events.find(({ type }) => type === 'cancel-failed'))
      .toMatchObject({ status: 403 });
  });

  it('[RECOVER-8] sends the credentials of the create again, by prepareUpstream and within the allowlist', async () => {
    const purposes: string[] = [];
    await start(
      { kind: 'openai', cut: (_, n) => (n === 0 ? { after: 400, how: 'reset' } : undefined) },
      {
        prepareUpstream({ headers, purpose, req }) {
          purposes.push(`${purpose} ${req !== undefined}`);
          headers.set('x-api-key', 'from the server');
        },
      },
    );
    const url = await create(1, { 'upstream-authorization': 'Bearer sk-caller' });
    expect((await read(url)).outcome).toBe('complete');
    expect(purposes).toEqual(['create true', 'resume false']);
    expect(provider!.calls[1]!.req.headers).toMatchObject({
      authorization: 'Bearer sk-caller',
      'x-api-key': 'from the server',
    });
    expect(provider!.calls[1]!.req.headers['content-type']).toBeUndefined();
  });

  it('[RECOVER-8] is not continued by a URL outside the allowlist', async () => {
    await start({ kind: 'openai', cut: () => ({ after: 400, how: 'reset' }) }, { allowlist: [] });
    await proxy!.stop({ drainMs: 0 });
    proxy = await startProxy({ allowlist: [`${provider!.url}/v1/responses`] });
    expect((await read(await create(1))).outcome).toBe('upstream-error');
    expect(provider!.calls).toHaveLength(1);
  });

  it('is not continued with an empty list of recoveries', async () => {
    await start({ kind: 'openai', cut: () => ({ after: 400, how: 'reset' }) }, { recovery: [] });
    const url = await create(1);
    expect((await read(url)).outcome).toBe('upstream-error');
    expect((await fetch(url)).headers.get(UPSTREAM_OUTCOME)).toBe('upstream-error');
    expect((await fetch(url)).headers.get(STREAM_CLOSED)).toBe('true');
    expect(provider!.calls).toHaveLength(1);
  });
});
