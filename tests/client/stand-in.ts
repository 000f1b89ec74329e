import { isUtf8 } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as H from '../../protocol/headers.ts';
import type { Outcome, OutcomeError } from '../../protocol/outcomes.ts';

export type RequestKind = 'create' | 'find' | 'read' | 'abort';

/** The fault that one request meets. */
export type Fault =
  /** The connection closes before the request is processed. */
  | 'before-request'
  /** The request is processed, and its response is lost. */
  | 'before-answer'
  /** The connection is cut within the headers of the response. */
  | 'mid-headers'
  /** The headers arrive, then the connection closes. */
  | 'after-headers'
  /** The connection is cut in the middle of the first event with data. */
  | 'mid-event'
  /** The first data event arrives, but not its control event. */
  | 'before-control'
  /** The first data event and its control event arrive, then the connection closes. */
  | 'after-control'
  /** Like `after-control`, but the server ends the response properly. */
  | 'clean-end'
  /** A control event without data arrives, then the server ends the response. */
  | 'empty-end'
  /** The headers arrive, then nothing, and the connection stays open. */
  | 'silence'
  /** The request is accepted, and never gets a response. */
  | 'no-answer'
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string };

export interface SeenRequest {
  readonly kind: RequestKind;
  readonly url: URL;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** A stream whose content the test writes. */
export class StandInStream {
  readonly id = randomUUID();
  readonly frames: Buffer[] = [];
  end: { outcome: Outcome; error?: OutcomeError | undefined } | undefined;
  contentType = 'text/event-stream';
  readonly listeners = new Set<() => void>();

  push(...chunks: (string | Uint8Array)[]): this {
    this.frames.push(...chunks.map((chunk) => Buffer.from(chunk as string)));
    for (const listener of [...this.listeners]) listener();
    return this;
  }

  close(outcome: Outcome = 'complete', error?: OutcomeError): this {
    this.end ??= { outcome, ...(error && { error }) };
    for (const listener of [...this.listeners]) listener();
    return this;
  }
}

/** The upstream of one create: fills the stream, or returns an error response. */
export type Upstream = (stream: StandInStream, request: SeenRequest) => Fault | void | Promise<Fault | void>;

/** A small proxy with real sockets that injects faults. */
export class StandIn {
  /** URL of the proxy. */
  url = '';
  /** Number of calls of the upstream. */
  upstreamCalls = 0;
  readonly seen: SeenRequest[] = [];
  readonly streams = new Map<string, StandInStream>();
  /** The next faults for each kind of request. Each request removes one. */
  readonly faults: Record<RequestKind, (Fault | undefined)[]> = { create: [], find: [], read: [], abort: [] };
  upstream: Upstream = (stream) => void stream.push('hello').close();
  /** False for a server of the plain protocol. */
  extensions = true;
  /** Status of a find without a result. Servers before FIND-2 changed respond 404. */
  noneStatus: 204 | 404 = 204;
  /** False for text frames without base64. */
  base64 = true;
  /** False for a server without compact events; `alternate` if each second read reaches such a server. */
  compact: boolean | 'alternate' = true;
  /** True if an intermediary removes the header that names the encoding. */
  stripsEncoding = false;
  /** True if an intermediary buffers every SSE body until its end. */
  buffers = false;
  secret: string | undefined;
  /** Version of the signed URLs that are valid. All others have expired. */
  urlVersion = 1;
  /** Number of open reads. */
  readers = 0;
  /** Frames of the last read that were not written to the socket. */
  unsent = 0;
  readonly #server: Server;
  readonly #keys = new Map<string, Promise<StandInStream | Fault>>();
  readonly #names = new Map<string, StandInStream>();
  readonly #waiting = new Set<() => void>();
  #reads = 0;

  private constructor() {
    this.#server = createServer((req, res) => void this.#handle(req, res));
    this.#server.keepAliveTimeout = 500;
  }

  static async start(): Promise<StandIn> {
    const standIn = new StandIn();
    await new Promise<void>((resolve) => standIn.#server.listen(0, '127.0.0.1', resolve));
    standIn.url = `http://127.0.0.1:${(standIn.#server.address() as AddressInfo).port}/v1/proxy`;
    return standIn;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Resolves when a condition is true. Checks it after each change by a request. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  /** Removes all idempotency keys and names from the server. */
  forget(): void {
    this.#keys.clear();
    this.#names.clear();
  }

  count(kind: RequestKind): number {
    return this.seen.filter((request) => request.kind === kind).length;
  }

  #notify(): void {
    for (const resolve of [...this.#waiting]) resolve();
    this.#waiting.clear();
  }

  async #handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const url = new URL(req.url ?? '/', this.url);
    const kind = kindOf(req.method, url);
    const fault = this.faults[kind].shift();
    if (fault === 'before-request') {
      req.socket.destroy();
      return this.#notify();
    }
    let body = '';
    for await (const chunk of req) body += String(chunk);
    const seen = { kind, url, headers: req.headers, body };
    this.seen.push(seen);
    this.#notify();
    if (fault === 'no-answer') return;
    if (typeof fault === 'object') return answer(res, fault);
    const id = url.pathname.split('/')[3] ?? '';
    if (kind === 'create' || kind === 'find') {
      const { authorization } = req.headers;
      if (
        this.secret &&
        authorization !== `Bearer ${this.secret}` &&
        url.searchParams.get('secret') !== this.secret
      ) {
        return answer(res, refuse(401, 'INVALID_SECRET'));
      }
    } else if (Number(url.searchParams.get('expires')) !== this.urlVersion) {
      return answer(res, refuse(401, 'SIGNATURE_EXPIRED'));
    }
    if (kind === 'create') return this.#create(seen, res, fault);
    const stream =
      kind === 'find' ? this.#names.get(url.searchParams.get('key') ?? '') : this.streams.get(id);
    if (!stream && kind === 'find' && this.noneStatus === 204) return void res.writeHead(204).end();
    if (!stream) return answer(res, refuse(404, 'STREAM_NOT_FOUND'));
    if (kind === 'read') return this.#read(stream, seen, 200, {}, res, fault);
    if (kind === 'abort') stream.close('aborted', { code: 'ABORTED', message: 'The answer was stopped' });
    if (fault === 'before-answer') return void res.destroy();
    const end = stream.end && { [H.STREAM_CLOSED]: 'true', [H.UPSTREAM_OUTCOME]: stream.end.outcome };
    const headers = { ...this.#location(stream), ...end };
    if (kind === 'find') res.writeHead(200, headers).end();
    else res.writeHead(204).end();
    this.#notify();
  }

  async #create(seen: SeenRequest, res: ServerResponse, fault: Fault | undefined): Promise<void> {
    const { headers } = seen;
    const key = this.extensions ? headers[H.IDEMPOTENCY_KEY.toLowerCase()] : undefined;
    const known = key === undefined ? undefined : this.#keys.get(String(key));
    const making = known ?? this.#make(seen);
    if (key !== undefined) this.#keys.set(String(key), making);
    const made = await making;
    if (!(made instanceof StandInStream)) {
      if (key !== undefined) this.#keys.delete(String(key));
      if (fault === 'before-answer') return void res.destroy();
      return answer(res, made);
    }
    const represents =
      this.extensions && String(headers[H.PREFER.toLowerCase()]).includes(H.RETURN_REPRESENTATION);
    const own = {
      ...this.#location(made),
      ...(known && { [H.IDEMPOTENCY_REPLAYED]: 'true' }),
      ...(represents && { [H.PREFERENCE_APPLIED]: H.RETURN_REPRESENTATION }),
    };
    this.#notify();
    if (represents) return this.#read(made, seen, known ? 200 : 201, own, res, fault);
    if (fault === 'before-answer') return void res.destroy();
    if (fault === 'mid-headers') return void res.socket?.end('HTTP/1.1 201 Crea');
    res.writeHead(known ? 200 : 201, own).end();
  }

  async #make(seen: SeenRequest): Promise<StandInStream | Fault> {
    this.upstreamCalls++;
    const stream = new StandInStream();
    const name = seen.headers[H.STREAM_KEY.toLowerCase()];
    if (this.extensions && name) this.#names.set(Buffer.from(String(name), 'latin1').toString(), stream);
    const failure = await this.upstream(stream, seen);
    if (failure) return failure;
    this.streams.set(stream.id, stream);
    return stream;
  }

  #location(stream: StandInStream): Record<string, string> {
    return {
      Location: `/v1/proxy/${stream.id}?expires=${this.urlVersion}&signature=s`,
      [H.UPSTREAM_CONTENT_TYPE]: stream.contentType,
    };
  }

  #read(
    stream: StandInStream,
    { url, headers: asked }: SeenRequest,
    status: number,
    headers: Record<string, string>,
    res: ServerResponse,
    fault: Fault | undefined,
  ): void {
    if (fault === 'before-answer') return void res.destroy();
    if (fault === 'mid-headers') return void res.socket?.end('HTTP/1.1 200 O');
    if (url.searchParams.get('live') === 'long-poll') return this.#poll(stream, url, res);
    const offset = url.searchParams.get('offset') ?? '-1';
    let at = offset === '-1' ? 0 : Number(offset.slice(1));
    const wantsCompact =
      url.searchParams.get('events') === 'compact' ||
      String(asked[H.PREFER.toLowerCase()]).includes(H.COMPACT_EVENTS);
    const isCompact =
      wantsCompact &&
      this.extensions &&
      (this.compact === 'alternate' ? this.#reads++ % 2 > 0 : this.compact);
    const cut = (text: string) => void res.write(text, () => res.socket?.end());
    const step = () => {
      while (at < stream.frames.length && !res.writableNeedDrain) {
        const [data, control] = this.#events(stream, at++, isCompact);
        if (fault === 'mid-event') return cut(data.slice(0, -5));
        if (fault === 'before-control') return cut(data);
        if (fault === 'after-control') return cut(data + control);
        if (fault === 'clean-end') return void res.end(data + control);
        if (stream.end && at === stream.frames.length) {
          stream.listeners.delete(step);
          // The last bytes and the close are one write, as in the real proxy.
          return void res.end(data + control + this.#control(stream, at, true));
        }
        res.write(data + control);
        this.unsent = stream.frames.length - at;
      }
      if (!stream.end || at < stream.frames.length) return;
      stream.listeners.delete(step);
      res.end(this.#control(stream, at, true));
    };
    this.readers++;
    res.on('drain', step);
    res.on('close', () => {
      stream.listeners.delete(step);
      this.readers--;
      this.#notify();
    });
    res.writeHead(status, {
      'Content-Type': 'text/event-stream',
      ...(this.base64 && !this.stripsEncoding && { [H.STREAM_SSE_DATA_ENCODING]: 'base64' }),
      ...headers,
    });
    res.flushHeaders();
    if (fault === 'after-headers') return void res.socket?.end();
    if (this.buffers) return;
    if (this.base64 && this.extensions) res.write(': base64\n\n');
    if (fault === 'empty-end') return void res.end(this.#control(stream, at, false));
    if (fault === 'silence') return;
    stream.listeners.add(step);
    step();
  }

  #poll(stream: StandInStream, url: URL, res: ServerResponse): void {
    const offset = url.searchParams.get('offset') ?? '-1';
    const at = offset === '-1' ? 0 : Number(offset.slice(1));
    const step = () => {
      if (stream.frames.length === at && !stream.end) return;
      stream.listeners.delete(step);
      const bytes = Buffer.concat(stream.frames.slice(at));
      res.writeHead(bytes.length > 0 ? 200 : 204, {
        [H.STREAM_NEXT_OFFSET]: offsetOf(stream.frames.length),
        [H.STREAM_CURSOR]: '8',
        ...(stream.end && { [H.STREAM_CLOSED]: 'true', [H.UPSTREAM_OUTCOME]: stream.end.outcome }),
      });
      res.end(bytes.length > 0 ? bytes : undefined);
    };
    res.on('close', () => stream.listeners.delete(step));
    stream.listeners.add(step);
    step();
  }

  #events(stream: StandInStream, at: number, isCompact: boolean): [data: string, control: string] {
    const frame = stream.frames[at] ?? Buffer.alloc(0);
    if (isCompact) {
      const isText = isUtf8(frame) && !frame.includes('\r');
      const lines = isText ? `data: ${frame.toString().replaceAll('\n', '\ndata: ')}` : '';
      // Without its empty line, the event is incomplete, like a data event without its control event.
      return [
        `${lines || `event: base64\ndata: ${frame.toString('base64')}`}\nid: ${offsetOf(at + 1)}\n`,
        '\n',
      ];
    }
    const text = this.base64 ? frame.toString('base64').replace(/.{30}/g, '$&\n') : frame.toString();
    const data = text.replace(/^/gm, 'data:');
    return [`event: data\n${data}\n\n`, this.#control(stream, at + 1, false)];
  }

  #control(stream: StandInStream, next: number, isLast: boolean): string {
    const { outcome, error } = stream.end ?? {};
    const control = {
      streamNextOffset: offsetOf(next),
      streamCursor: '7',
      ...(isLast && {
        streamClosed: true,
        ...(this.extensions && { upstreamOutcome: outcome, upstreamError: error }),
      }),
    };
    return `event: control\ndata: ${JSON.stringify(control)}\n\n`;
  }
}

function offsetOf(frames: number): string {
  return `o${String(frames).padStart(8, '0')}`;
}

function kindOf(method: string | undefined, url: URL): RequestKind {
  if (method === 'POST') return 'create';
  if (method === 'PATCH') return 'abort';
  return url.pathname.endsWith('/proxy') ? 'find' : 'read';
}

function refuse(status: number, code: string): Fault {
  return { status, body: JSON.stringify({ error: { code, message: `refused: ${code}` } }) };
}

function answer(res: ServerResponse, fault: Fault): void {
  if (typeof fault === 'string') return void res.destroy();
  res.writeHead(fault.status, { 'Content-Type': 'application/json', ...fault.headers }).end(fault.body);
}
