import type { ServerResponse } from 'node:http';
import type { Script, Upstream } from './stand-in.ts';

export interface FeedOptions {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** Default `text/event-stream`; null for none. */
  readonly contentType?: string | null;
  /** Hold the headers until `begin` is called. */
  readonly held?: boolean;
}

/** An upstream that a test plays by hand: it answers when asked, and says what it is told to say. */
export interface Feed extends Upstream {
  /** Sends the headers that were held. */
  begin(): void;
  /** Sends bytes; resolves when they are handed to the network. */
  send(bytes: string | Uint8Array): Promise<void>;
  /** Ends the body as HTTP has it. */
  end(bytes?: string | Uint8Array): Promise<void>;
  /** Resets the connection. */
  cut(): Promise<void>;
  /** Closes the connection without the end that the framing of the body promised. */
  hangUp(): Promise<void>;
  /** Resolves when the proxy gave up this request. */
  readonly abandoned: Promise<void>;
}

/** The script of a feed, and its controls once the stand-in gave it a path. */
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
