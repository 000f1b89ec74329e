import { startUpstream, write, type Upstream, type UpstreamCall } from './upstream.ts';
import { seeded } from './random.ts';

export type ProviderKind = 'openai' | 'gemini' | 'last-event-id';

/** How a connection to the stand-in provider ends before the answer does. */
export interface Cut {
  /** Bytes that are sent before. */
  readonly after: number;
  /** Moves the cut to the next such place, if there is one. */
  readonly to?: CutPlace | undefined;
  readonly how: 'reset' | 'close' | 'end';
}

export type CutPlace =
  | 'before the first event'
  | 'between CR and LF'
  | 'inside a character'
  | 'inside an event'
  | 'between events';

export interface ResumableProvider extends Upstream {
  /** Returns the URL that starts an answer. `seed` determines its text and padding. */
  urlOf(seed: number): string;
  /** Seeds of the answers that were started, once for each start. */
  readonly begun: number[];
  /** Requests that stop an answer, by the answer's seed. */
  readonly canceled: number[];
  /** Where connections were cut. */
  readonly cuts: CutPlace[];
  /** Maximum number of concurrent connections of an answer, by its seed. */
  readonly mostAtATime: Map<number, number>;
}

export interface ProviderOptions {
  readonly kind: ProviderKind;
  /** Number of events with text. Default 30. */
  readonly events?: number;
  /** Decides how the n-th connection of an answer is cut. Default: not at all. */
  readonly cut?: (seed: number, connection: number) => Cut | undefined;
  /** Milliseconds between two events; a function returns those of the n-th connection of an answer. Default 0. */
  readonly gapMs?: number | ((connection: number) => number);
  /** Answers a request that continues or stops an answer; returns true if it did. */
  readonly intercept?: (call: UpstreamCall, seed: number, connection: number) => boolean;
}

const TEXTS = ['Grüße', ' 🙂', ' plain', '\\n', ' "quoted"', ' 日本語'];

/** The texts of an answer: what a reader must see, each once, in this order. */
export function textsOf(seed: number, events = 30): string[] {
  const random = seeded(seed);
  return Array.from({ length: events }, (_, i) => `${i}${TEXTS[Math.floor(random() * TEXTS.length)]}`);
}

/** The texts in the bytes of an answer, without what differs between two transmissions of one event. */
export function textsIn(bytes: Uint8Array): string[] {
  const text = new TextDecoder().decode(bytes);
  return text
    .split(/\r\n\r\n|\n\n|\r\r/)
    .flatMap((event) => event.split(/\r\n|\n|\r/).filter((line) => line.startsWith('data: ')))
    .flatMap((line) => {
      try {
        return [JSON.parse(line.slice(6)) as Record<string, unknown>];
      } catch {
        // `[DONE]`, or an event that was cut.
        return [];
      }
    })
    .flatMap(({ delta }) => {
      const text = (delta as { text?: unknown } | undefined)?.text ?? delta;
      return typeof text === 'string' ? [text] : [];
    });
}

/** A stand-in for a provider whose streams can be continued. Sends padding that is new each time, as OpenAI does. */
export async function startResumableProvider(options: ProviderOptions): Promise<ResumableProvider> {
  const { kind, events = 30, cut = () => undefined, gapMs = 0, intercept } = options;
  const begun: number[] = [];
  const canceled: number[] = [];
  const cuts: CutPlace[] = [];
  const connections = new Map<number, number>();
  const atATime = new Map<number, number>();
  const mostAtATime = new Map<number, number>();
  const canceledSeeds = new Set<number>();

  const upstream = await startUpstream((call) => void serve(call));

  async function serve(call: UpstreamCall): Promise<void> {
    const { req, res } = call;
    res.on('error', () => undefined);
    const url = new URL(req.url!, 'http://provider');
    const seed = Number(/_(\d+)/.exec(url.pathname)?.[1] ?? url.searchParams.get('seed'));
    const connection = connections.get(seed) ?? 0;
    connections.set(seed, connection + 1);
    if (intercept?.(call, seed, connection)) return;
    if (url.pathname.endsWith('/cancel')) {
      canceled.push(seed);
      canceledSeeds.add(seed);
      res.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      return;
    }
    if (req.method === 'POST') begun.push(seed);
    const random = seeded(seed * 1_000 + connection);
    const now = (atATime.get(seed) ?? 0) + 1;
    atATime.set(seed, now);
    mostAtATime.set(seed, Math.max(now, mostAtATime.get(seed) ?? 0));
    res.once('close', () => atATime.set(seed, atATime.get(seed)! - 1));
    res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    const parts = framesAfter(kind, seed, events, positionIn(call, url), random);
    await send(call, parts, cut(seed, connection), {
      seed,
      gapMs: typeof gapMs === 'function' ? gapMs(connection) : gapMs,
    });
  }

  async function send(
    { res }: UpstreamCall,
    parts: Buffer[],
    ending: Cut | undefined,
    { seed, gapMs }: { seed: number; gapMs: number },
  ) {
    const whole = Buffer.concat(parts);
    let left = ending ? positionOf(ending, whole) : Infinity;
    if (left < whole.length) cuts.push(placeOf(left, whole));
    try {
      res.flushHeaders();
      for (const part of parts) {
        if (canceledSeeds.has(seed) || res.destroyed) return;
        if (part.length > left) {
          if (left > 0) await write(res, part.subarray(0, left));
          if (ending!.how === 'end') res.end();
          else if (ending!.how === 'reset') res.socket?.resetAndDestroy();
          else res.socket?.destroy();
          return;
        }
        left -= part.length;
        await write(res, part);
        if (gapMs > 0) await new Promise((resolve) => setTimeout(resolve, gapMs));
      }
      res.end();
    } catch {
      // The proxy has left.
    }
  }

  return {
    ...upstream,
    begun,
    canceled,
    cuts,
    mostAtATime,
    urlOf: (seed) => {
      const path = { openai: '/v1/responses', gemini: '/v1/interactions', 'last-event-id': '/chat' }[kind];
      return `${upstream.url}${path}?seed=${seed}`;
    },
  };
}

/** Returns the position of a cut in the bytes of a connection. */
function positionOf({ after, to }: Cut, bytes: Buffer): number {
  if (to === undefined) return after;
  for (let at = after; at < bytes.length; at += 1) if (placeOf(at, bytes) === to) return at;
  return after;
}

function placeOf(at: number, bytes: Buffer): CutPlace {
  if (at === 0) return 'before the first event';
  if (bytes[at - 1] === 13 && bytes[at] === 10) return 'between CR and LF';
  if ((bytes[at]! & 0b1100_0000) === 0b1000_0000) return 'inside a character';
  return /(?:\n\n|\r\n\r\n|\r\r)$/.test(bytes.toString('latin1', at - 4, at))
    ? 'between events'
    : 'inside an event';
}

/** Returns the number of the first event that was asked for. */
function positionIn({ req }: UpstreamCall, url: URL): number {
  const after =
    url.searchParams.get('starting_after') ??
    url.searchParams.get('last_event_id')?.replace('event-', '') ??
    (req.headers['last-event-id'] as string | undefined);
  return after === undefined ? 0 : Number(after) + 1;
}

/** The events of an answer from one on, each with a line end of its own, and padding that is new each time. */
function framesAfter(
  kind: ProviderKind,
  seed: number,
  count: number,
  first: number,
  random: () => number,
): Buffer[] {
  const end = ['\n', '\r\n', '\r'][Math.floor(random() * 3)]!;
  const padding = () => 'x'.repeat(Math.floor(random() * 40));
  const frame = (id: number, json: Record<string, unknown>, type?: string) => {
    const lines = [
      ...(kind === 'last-event-id' ? [`id: ${id}`] : []),
      ...(type === undefined ? [] : [`event: ${type}`]),
      `data: ${JSON.stringify(json)}`,
    ];
    return Buffer.from([...lines, '', ''].join(end));
  };
  const texts = textsOf(seed, count);
  const all = {
    openai: () => {
      const event = (type: string, n: number, more: object) =>
        frame(n, { type, sequence_number: n, ...more, obfuscation: padding() }, type);
      return [
        event('response.created', 0, { response: { id: `resp_${seed}`, status: 'in_progress' } }),
        ...texts.map((delta, i) => event('response.output_text.delta', i + 1, { delta })),
        event('response.completed', count + 1, { response: { id: `resp_${seed}`, status: 'completed' } }),
      ];
    },
    gemini: () => {
      const event = (event_type: string, n: number, more: object) =>
        frame(n, { event_type, event_id: `event-${n}`, ...more });
      return [
        event('interaction.created', 0, { interaction: { id: `v1_${seed}` } }),
        ...texts.map((text, i) => event('step.delta', i + 1, { index: 0, delta: { type: 'text', text } })),
        Buffer.concat([
          event('interaction.completed', count + 1, { interaction: { id: `v1_${seed}` } }),
          Buffer.from(`event: done${end}data: [DONE]${end}${end}`),
        ]),
      ];
    },
    'last-event-id': () => texts.map((delta, i) => frame(i, { delta })),
  }[kind]();
  const mark = random() < 0.3 ? [Buffer.from('\ufeff')] : [];
  return [...mark, ...all.slice(first)];
}
