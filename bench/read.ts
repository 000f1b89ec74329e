import { Agent, type Dispatcher } from 'undici';
import { PREFER, RETURN_REPRESENTATION, UPSTREAM_METHOD, UPSTREAM_URL } from '../protocol/headers.ts';
import { nowMs } from './clock.ts';

export const BENCH_SECRET = 'a-secret-for-the-benchmark-alone';

/** Measurements of one read. */
export interface Reading {
  /** Milliseconds from the request to the piece that held the first chunk. */
  readonly firstChunkMs: number;
  /** Age of each chunk when the reader received it, in milliseconds. */
  readonly agesMs: readonly number[];
  /** Bytes of the answer itself, without framing. */
  readonly bytes: number;
  /** Why the run is invalid: a chunk was lost, repeated or out of order. */
  readonly fault: string | undefined;
}

/** Pieces of a body with their arrival times. They are parsed after the run. */
export interface Recording {
  readonly status: number;
  readonly headers: Dispatcher.ResponseData['headers'];
  readonly begunMs: number;
  readonly pieces: readonly Buffer[];
  readonly timesMs: readonly number[];
}

/** Enough connections for all streams of every work. */
export function createAgent(): Agent {
  return new Agent({ connections: 4_096, headersTimeout: 0, bodyTimeout: 0 });
}

export interface RequestOptions {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Called when the response's headers have arrived. */
  readonly onHead?: () => void;
  /** Called with the first piece of the body. */
  readonly onFirst?: () => void;
}

/** Sends a request and records its response with as little work per piece as possible. */
export function record(agent: Dispatcher, options: RequestOptions): Promise<Recording> {
  const { origin, pathname, search } = new URL(options.url);
  const pieces: Buffer[] = [];
  const timesMs: number[] = [];
  return new Promise((resolve, reject) => {
    let [status, headers] = [0, {} as Recording['headers']];
    const begunMs = nowMs();
    agent.dispatch(
      {
        origin,
        path: pathname + search,
        method: options.method,
        headers: options.headers ?? {},
        body: options.body ?? null,
      },
      {
        onRequestStart: () => undefined,
        onResponseStart(_, code, received) {
          [status, headers] = [code, received];
          options.onHead?.();
        },
        onResponseData(_, chunk) {
          timesMs.push(nowMs());
          pieces.push(chunk);
          if (pieces.length === 1) options.onFirst?.();
        },
        onResponseEnd: () => resolve({ status, headers, begunMs, pieces, timesMs }),
        onResponseError: (_, error) => reject(error),
      },
    );
  });
}

/** A peer, or the upstream itself. */
export interface Source {
  /** Undefined if the upstream is called directly. */
  readonly url: string | undefined;
  /** True if it implements the protocol of the durable proxy. */
  readonly durable: boolean;
}

/** Returns the POST that creates a stream and reads it in the response. */
export function post(
  source: Source,
  upstreamUrl: string,
  headers: Record<string, string> = {},
): RequestOptions {
  return {
    url: source.url ?? upstreamUrl,
    method: 'POST',
    headers: {
      [UPSTREAM_URL]: upstreamUrl,
      ...(source.durable && {
        authorization: `Bearer ${BENCH_SECRET}`,
        [UPSTREAM_METHOD]: 'POST',
        [PREFER]: RETURN_REPRESENTATION,
      }),
      ...headers,
    },
  };
}

/** Extracts the stamped chunks of a recording, out of base64 events if it was framed. */
export function reading(recording: Recording, framed: boolean, chunks: number): Reading {
  const { pieces, timesMs, begunMs, status } = recording;
  const unframe = framed ? createUnframe() : undefined;
  const agesMs: number[] = [];
  let [firstChunkMs, bytes, expected] = [NaN, 0, 0];
  let fault = status >= 300 ? `it was answered with ${status}` : undefined;
  let rest = '';
  pieces.forEach((piece, at) => {
    const time = timesMs[at]!;
    const text = unframe ? unframe.push(piece) : piece.toString('latin1');
    bytes += text.length;
    const events = (rest + text).split('\n\n');
    rest = events.pop()!;
    for (const event of events) {
      const [, index, stamp] = /"i":(\d+),"t":"([\d.]+)"/.exec(event) ?? [];
      if (expected === 0) firstChunkMs = time - begunMs;
      if (Number(index) !== expected) fault ??= `chunk ${index} came where ${expected} was due`;
      expected += 1;
      agesMs.push(time - Number(stamp));
    }
  });
  if (expected !== chunks || rest !== '') fault ??= `${expected} of ${chunks} chunks came`;
  if (unframe && !unframe.isComplete()) fault ??= 'the stream did not end complete';
  return { firstChunkMs, agesMs, bytes, fault };
}

/** Creates a decoder of base64 data events. */
function createUnframe() {
  let rest = '';
  let last = '';
  return {
    push(piece: Buffer): string {
      const events = (rest + piece.toString('latin1')).split('\n\n');
      rest = events.pop()!;
      let text = '';
      for (const event of events) {
        if (event.startsWith(DATA))
          text += Buffer.from(event.slice(DATA.length), 'base64').toString('latin1');
        else last = event;
      }
      return text;
    },
    isComplete: () => last.includes('"upstreamOutcome":"complete"'),
  };
}

const DATA = 'event: data\ndata: ';
