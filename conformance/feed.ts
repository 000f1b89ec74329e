import type { ServerResponse } from 'node:http';
import type { Script, Upstream } from './stand-in.ts';

export interface FeedOptions {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** Content type; null for none. Default: `text/event-stream`. */
  readonly contentType?: string | null;
  /** If true, the headers are sent when `begin` is called. */
  readonly held?: boolean;
}

/** An upstream that a test controls step by step. */
export interface Feed extends Upstream {
  /** Sends the headers. */
  begin(): void;
  /** Sends bytes. Resolves when they are passed to the network. */
  send(bytes: string | Uint8Array): Promise<void>;
  /** Ends the body properly. */
  end(bytes?: string | Uint8Array): Promise<void>;
  /** Resets the connection. */
  cut(): Promise<void>;
  /** Closes the connection without the end that the framing of the body requires. */
  hangUp(): Promise<void>;
  /** Resolves when the proxy has canceled this request. */
  readonly abandoned: Promise<void>;
}

/** Returns the script of a feed, and its controls once the upstream has a path. */
export function createFeed(options: FeedOptions): { script: Script; controls: (upstream: Upstream) => Feed } {
  const { status = 200, headers = {}, contentType = 'text/event-stream', held = false } = options;
  const began = signal<void>();
  const response = signal<ServerResponse>();
  const abandoned = signal<void>();
  if (!held) began.resolve();

  const script: Script = async (exchange) => {
    void exchange.abandoned.then(() => abandoned.resolve());
    await began.promise;
    const { res } = exchange;
    res.writeHead(status, { ...(contentType !== null && { 'Content-Type': contentType }), ...headers });
    res.flushHeaders();
    response.resolve(res);
  };

  const controls = (upstream: Upstream): Feed => ({
    ...upstream,
    begin: () => began.resolve(),
    abandoned: abandoned.promise,
    send: async (bytes) => {
      const res = await response.promise;
      await new Promise<void>((resolve, reject) => {
        res.write(bytes, (error) => (error ? reject(error) : resolve()));
      });
    },
    end: async (bytes) => {
      const res = await response.promise;
      await new Promise<void>((resolve) => res.end(bytes, resolve));
    },
    cut: async () => {
      (await response.promise).socket?.resetAndDestroy();
    },
    hangUp: async () => {
      (await response.promise).socket?.end();
    },
  });
  return { script, controls };
}

function signal<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((done) => (resolve = done));
  return { promise, resolve };
}
