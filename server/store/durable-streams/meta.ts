import { STREAM_NEXT_OFFSET, STREAM_TTL, STREAM_UP_TO_DATE } from '../../../protocol/headers.ts';
import { OFFSET_START } from '../../../protocol/query.ts';
import type { StreamEnd, StreamInit } from '../types.ts';
import type { Backend } from './backend.ts';
import {
  adoptLine,
  createLine,
  endLine,
  foldMetaLog,
  noteLine,
  type Adoption,
  type Incarnation,
  type Note,
} from './meta-log.ts';
import { fencedError, headerOf, isGone, isTrue, metaName, notFound, readPath, unexpected } from './wire.ts';

const CONTENT_TYPE = 'application/x-ndjson';
/** Often enough for four touches in a TTL, and seldom enough to cost nothing. */
const LONGEST_TOUCH_MS = 60_000;
/** Streams whose next touch is remembered. One that is forgotten is touched once more. */
const REMEMBERED = 10_000;

const LOST: StreamEnd = Object.freeze({
  outcome: 'interrupted',
  error: Object.freeze({
    code: 'INTERRUPTED',
    message: 'The proxy that closed this stream died before it said why',
  }),
});

/**
 * What is known of a stream beside its bytes, in a side stream of its own: a log of JSON lines, to which
 * lives and ends are only ever added (see `foldMetaLog`). A stream exists when both of its streams do.
 */
export class Metadata {
  readonly #backend: Backend;
  readonly #graceMs: number;
  /** When the log has to be read again so that it does not expire before the stream. Oldest first. */
  readonly #touches = new Map<string, number>();
  /** Ends that somebody here waits for, and closings of this process. */
  readonly #awaited = new Map<string, Promise<StreamEnd>>();
  readonly #closings = new Map<string, Promise<StreamEnd>>();

  constructor(backend: Backend, graceMs: number) {
    this.#backend = backend;
    this.#graceMs = graceMs;
  }

  /** Reading restarts the log's TTL. */
  async read(id: string): Promise<Incarnation | undefined> {
    const parts: Buffer[] = [];
    let offset = OFFSET_START;
    for (;;) {
      const { status, headers, body } = await this.#backend.send({
        method: 'GET',
        path: readPath(metaName(id), offset),
      });
      if (isGone(status)) return undefined;
      if (status !== 200) throw unexpected('GET', status);
      parts.push(body);
      const next = headerOf(headers, STREAM_NEXT_OFFSET);
      if (body.length === 0 || next === undefined || isTrue(headers, STREAM_UP_TO_DATE)) break;
      offset = next;
    }
    const incarnation = foldMetaLog(Buffer.concat(parts).toString('utf8'));
    if (incarnation) this.#remember(id, Math.min(incarnation.logTtlSeconds, incarnation.init.ttlSeconds));
    return incarnation;
  }

  /** Begins the log. True when it is new and this line its first; false when there is one. */
  async begin(id: string, token: string, init: StreamInit): Promise<boolean> {
    const { status } = await this.#backend.send({
      method: 'PUT',
      path: metaName(id),
      headers: { 'content-type': CONTENT_TYPE, [STREAM_TTL]: String(logTtlSeconds(init.ttlSeconds)) },
      body: createLine(token, init),
    });
    if (status === 201) this.#remember(id, init.ttlSeconds);
    else if (status !== 200 && status !== 409) throw unexpected('PUT', status);
    return status === 201;
  }

  /** Writes an adoption. Returns what the log says afterwards. */
  async adopt(id: string, adoption: Adoption): Promise<Incarnation> {
    await this.#append(id, adoptLine(adoption));
    return this.#existing(id);
  }

  /** Adds a life behind another; who reads the log learns whether this one came first. */
  async follow(id: string, token: string, init: StreamInit, after: string): Promise<void> {
    await this.#append(id, createLine(token, init, after));
  }

  /**
   * Adds entries to the metadata of a life.
   * @throws StoreError `FENCED` if the note has a fence that is not the stream's: the log ignores its line then.
   */
  async annotate(id: string, note: Note): Promise<void> {
    await this.#append(id, noteLine(note));
    if (note.fence === undefined) return;
    const { token, fence, end } = await this.#existing(id);
    if (token === note.token && fence !== note.fence && !end) throw fencedError(id);
  }

  /** True when there was a log. */
  async delete(id: string): Promise<boolean> {
    this.#touches.delete(id);
    const { status, uncertain } = await this.#backend.send({ method: 'DELETE', path: metaName(id) });
    if (isGone(status)) return uncertain;
    if (status >= 300) throw unexpected('DELETE', status);
    return true;
  }

  /** Says how a stream ended that this process began to close at `begunMs`; gives the end that stands. */
  async end(id: string, token: string, end: StreamEnd, begunMs: number): Promise<StreamEnd> {
    await this.#append(id, endLine(token, end));
    // Others give up on whoever closed a stream after the grace, and not before.
    if (performance.now() - begunMs < this.#graceMs / 2) return end;
    return (await this.#existing(id)).end ?? end;
  }

  /**
   * How a closed stream ended. The bytes are closed before the end is written, so that no end ever speaks of
   * bytes that did not come; a reader may therefore be too early, and waits. Whoever closed it may also be
   * dead: after the grace the stream counts as interrupted.
   */
  standingEnd(id: string): Promise<StreamEnd> {
    const known = this.#awaited.get(id);
    if (known) return known;
    const closing = this.#closings.get(id);
    const awaited = (closing ? closing.catch(() => this.seekEnd(id)) : this.seekEnd(id)).finally(() =>
      this.#awaited.delete(id),
    );
    this.#awaited.set(id, awaited);
    return awaited;
  }

  /** Until it is over, `standingEnd` waits for this closing, and asks the backend only if it fails. */
  announce(id: string, closing: Promise<StreamEnd>): void {
    this.#closings.set(id, closing);
    const over = (): void => {
      if (this.#closings.get(id) === closing) this.#closings.delete(id);
    };
    closing.then(over, over);
  }

  /** Keeps the log of a stream in use from expiring. In the background: a failure shows elsewhere. */
  touch(id: string): void {
    const due = this.#touches.get(id);
    if (due !== undefined && due > performance.now()) return;
    this.#remember(id, 4);
    this.read(id).catch(() => undefined);
  }

  /** As `standingEnd`, of a closing that was not this process's. */
  async seekEnd(id: string): Promise<StreamEnd> {
    const deadline = performance.now() + this.#graceMs;
    for (let pause = 5; ; pause = Math.min(pause * 2, 200)) {
      const incarnation = await this.#existing(id);
      if (incarnation.end) return incarnation.end;
      if (performance.now() > deadline) {
        await this.#append(id, endLine(incarnation.token, LOST));
        return (await this.#existing(id)).end ?? LOST;
      }
      await this.#backend.pause(pause);
    }
  }

  async #existing(id: string): Promise<Incarnation> {
    const incarnation = await this.read(id);
    if (!incarnation) throw notFound(id);
    return incarnation;
  }

  async #append(id: string, line: string): Promise<void> {
    const { status } = await this.#backend.send({
      method: 'POST',
      path: metaName(id),
      headers: { 'content-type': CONTENT_TYPE },
      body: line,
    });
    if (isGone(status)) throw notFound(id);
    if (status >= 300) throw unexpected('POST', status);
  }

  #remember(id: string, ttlSeconds: number): void {
    this.#touches.delete(id);
    this.#touches.set(id, performance.now() + Math.min(LONGEST_TOUCH_MS, ttlSeconds * 250));
    if (this.#touches.size > REMEMBERED) this.#touches.delete(this.#touches.keys().next().value!);
  }
}

/** The log outlives a stream that is touched: by half a TTL, when it itself is touched every quarter. */
function logTtlSeconds(ttlSeconds: number): number {
  return ttlSeconds + Math.max(2, Math.ceil(ttlSeconds / 2));
}
