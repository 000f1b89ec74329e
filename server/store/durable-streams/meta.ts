import { STREAM_NEXT_OFFSET, STREAM_TTL, STREAM_UP_TO_DATE } from '../../../protocol/headers.ts';
import { OFFSET_START } from '../../../protocol/query.ts';
import { notFound } from '../shared/errors.ts';
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
import { fencedError, headerOf, isGone, isTrue, metaName, readPath, unexpected } from './wire.ts';

const CONTENT_TYPE = 'application/x-ndjson';
/** Maximum milliseconds between two touches of a log. Logs with a short TTL are touched four times per TTL. */
const LONGEST_TOUCH_MS = 60_000;
/** Maximum number of streams whose next touch is remembered. After an eviction, a stream is touched once more. */
const REMEMBERED = 10_000;

const LOST: StreamEnd = Object.freeze({
  outcome: 'interrupted',
  error: Object.freeze({
    code: 'INTERRUPTED',
    message: 'The proxy that closed this stream died before it stored the outcome',
  }),
});

/**
 * Stores the metadata of each stream in a separate stream: a log of JSON lines, to which creates and ends are
 * appended (see `foldMetaLog`). A stream exists if both of its streams do.
 */
export class Metadata {
  readonly #backend: Backend;
  readonly #graceMs: number;
  /** Times at which logs have to be read again so that they do not expire before their streams. Oldest first. */
  readonly #touches = new Map<string, number>();
  /** Ends that callers in this process wait for. */
  readonly #awaited = new Map<string, Promise<StreamEnd>>();
  /** Closes of this process that are in progress. */
  readonly #closings = new Map<string, Promise<StreamEnd>>();

  constructor(backend: Backend, graceMs: number) {
    this.#backend = backend;
    this.#graceMs = graceMs;
  }

  /** Reads the log, which restarts its TTL. */
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

  /** Creates the log. Returns true if it is new and this line its first, false if it exists. */
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

  /** Writes an adoption. Returns the state of the log afterwards. */
  async adopt(id: string, adoption: Adoption): Promise<Incarnation> {
    await this.#append(id, adoptLine(adoption));
    return this.#existing(id);
  }

  /** Appends a stream that replaces an earlier one. A read of the log shows whether this one was first. */
  async follow(id: string, token: string, init: StreamInit, after: string): Promise<void> {
    await this.#append(id, createLine(token, init, after));
  }

  /**
   * Adds entries to the metadata of a stream.
   * @throws StoreError `FENCED` if the note has a fence that is not the stream's: the log then ignores its line.
   */
  async annotate(id: string, note: Note): Promise<void> {
    await this.#append(id, noteLine(note));
    if (note.fence === undefined) return;
    const { token, fence, end } = await this.#existing(id);
    if (token === note.token && fence !== note.fence && !end) throw fencedError(id);
  }

  /** Returns true if the log existed. */
  async delete(id: string): Promise<boolean> {
    this.#touches.delete(id);
    const { status, uncertain } = await this.#backend.send({ method: 'DELETE', path: metaName(id) });
    if (isGone(status)) return uncertain;
    if (status >= 300) throw unexpected('DELETE', status);
    return true;
  }

  /** Stores the end of a stream that this process began to close at `begunMs`. @returns the end that is stored. */
  async end(id: string, token: string, end: StreamEnd, begunMs: number): Promise<StreamEnd> {
    await this.#append(id, endLine(token, end));
    // Other processes treat this one as dead, and store another end, only after the grace period.
    if (performance.now() - begunMs < this.#graceMs / 2) return end;
    return (await this.#existing(id)).end ?? end;
  }

  /**
   * Returns the end of a closed stream. The bytes are closed before the end is written, so an end never describes bytes
   * that are missing. A reader may therefore arrive before the end, and waits. The closing process may also be dead:
   * after the grace period, the stream counts as interrupted.
   */
  storedEnd(id: string): Promise<StreamEnd> {
    const known = this.#awaited.get(id);
    if (known) return known;
    const closing = this.#closings.get(id);
    const awaited = (
      closing ? closing.catch(() => this.awaitStoredEnd(id)) : this.awaitStoredEnd(id)
    ).finally(() => this.#awaited.delete(id));
    this.#awaited.set(id, awaited);
    return awaited;
  }

  /** Until the close has settled, `storedEnd` waits for it, and asks the backend only if it fails. */
  announce(id: string, closing: Promise<StreamEnd>): void {
    this.#closings.set(id, closing);
    const over = (): void => {
      if (this.#closings.get(id) === closing) this.#closings.delete(id);
    };
    closing.then(over, over);
  }

  /**
   * Prevents the log of an active stream from expiring. Runs in the background and ignores failures, which other
   * requests report.
   */
  touch(id: string): void {
    const due = this.#touches.get(id);
    if (due !== undefined && due > performance.now()) return;
    this.#remember(id, 4);
    this.read(id).catch(() => undefined);
  }

  /** Like `storedEnd`, for a close by another process. */
  async awaitStoredEnd(id: string): Promise<StreamEnd> {
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
    if (!incarnation) throw notFound();
    return incarnation;
  }

  async #append(id: string, line: string): Promise<void> {
    const { status } = await this.#backend.send({
      method: 'POST',
      path: metaName(id),
      headers: { 'content-type': CONTENT_TYPE },
      body: line,
    });
    if (isGone(status)) throw notFound();
    if (status >= 300) throw unexpected('POST', status);
  }

  #remember(id: string, ttlSeconds: number): void {
    this.#touches.delete(id);
    this.#touches.set(id, performance.now() + Math.min(LONGEST_TOUCH_MS, ttlSeconds * 250));
    if (this.#touches.size > REMEMBERED) this.#touches.delete(this.#touches.keys().next().value!);
  }
}

/** TTL of the log. It is longer than the stream's by half, because the log is touched every quarter of a TTL. */
function logTtlSeconds(ttlSeconds: number): number {
  return ttlSeconds + Math.max(2, Math.ceil(ttlSeconds / 2));
}
