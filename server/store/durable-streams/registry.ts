import { randomUUID } from 'node:crypto';
import { STREAM_CLOSED, STREAM_NEXT_OFFSET, STREAM_TTL } from '../../../protocol/headers.ts';
import { notFound } from '../shared/errors.ts';
import { isStoreError } from '../is-store-error.ts';
import { type Fence, type Offset, type StreamInfo, type StreamInit, StoreError } from '../types.ts';
import type { Backend } from './backend.ts';
import type { Incarnation } from './meta-log.ts';
import type { Metadata } from './meta.ts';
import { closedError, DATA_CONTENT_TYPE, fencedError, headerOf, isGone, isTrue, unexpected } from './wire.ts';

/** Milliseconds for which a log must exist without its stream before its id counts as free. */
const ABSENT_MS = 2_000;
/** An operation within these milliseconds is too short for another process to treat this one as dead. */
const QUICK_MS = 1_000;
const POLL_MS = 25;

/** A stream that this process has created. */
export interface Created {
  readonly token: string;
  /** Offset just past its last byte. Undefined if the backend did not send it. */
  readonly tail: Offset | undefined;
}

/** The data stream according to the backend's HEAD. */
export interface DataHead {
  readonly tail: Offset;
  readonly closed: boolean;
}

/**
 * The streams that exist. A PUT alone does not distinguish a lost response from an existing stream, so the metadata
 * log decides: its first line names the owner of the id. The data stream is created next; only then is the id taken.
 */
export class Registry {
  readonly #backend: Backend;
  readonly #metadata: Metadata;
  readonly #creating = new Map<string, Promise<Created | undefined>>();

  constructor(backend: Backend, metadata: Metadata) {
    this.#backend = backend;
    this.#metadata = metadata;
  }

  /** Returns the new stream, or undefined if the id exists. Creates of one id run one after the other. */
  async create(id: string, init: StreamInit): Promise<Created | undefined> {
    for (let other = this.#creating.get(id); other; other = this.#creating.get(id)) {
      await other.catch(() => undefined);
    }
    const creating = this.#create(id, { ...init, ttlSeconds: Math.ceil(init.ttlSeconds) });
    this.#creating.set(id, creating);
    try {
      return await creating;
    } finally {
      this.#creating.delete(id);
    }
  }

  async head(id: string): Promise<DataHead | undefined> {
    const { status, headers } = await this.#backend.send({ method: 'HEAD', path: id });
    if (isGone(status)) return undefined;
    const tail = headerOf(headers, STREAM_NEXT_OFFSET);
    if (status !== 200 || tail === undefined) throw unexpected('HEAD', status);
    return { tail, closed: isTrue(headers, STREAM_CLOSED) };
  }

  async info(id: string): Promise<StreamInfo | undefined> {
    const [head, incarnation] = await Promise.all([this.head(id), this.#metadata.read(id)]);
    if (!head || !incarnation) return undefined;
    const { init, fence } = incarnation;
    if (!head.closed) return { ...init, fence, tail: head.tail };
    return {
      ...init,
      fence,
      tail: head.tail,
      end: incarnation.end ?? (await this.#metadata.storedEnd(id)),
    };
  }

  /** Adopts an open stream. Returns its new fence. */
  async adopt(id: string, fence: Fence, entries: StreamInit['metadata']): Promise<Fence> {
    const [head, seen] = await Promise.all([this.head(id), this.#metadata.read(id)]);
    if (!head || !seen) throw notFound();
    if (head.closed) throw closedError(id);
    if (seen.fence !== fence) throw fencedError(id);
    const adopter = randomUUID();
    const now = await this.#metadata.adopt(id, { token: seen.token, adopter, fence, entries });
    if (now.token !== seen.token) throw notFound();
    if (now.adopter !== adopter) throw fencedError(id);
    return now.fence;
  }

  /**
   * Deletes the data first, because without data there is no stream. A log that remains, after a crash between the
   * two or a slow response, does not prevent a later create, and expires.
   */
  async delete(id: string): Promise<boolean> {
    const begun = performance.now();
    if (!(await this.#deleteData(id))) return false;
    if (performance.now() - begun < QUICK_MS) await this.#metadata.delete(id);
    return true;
  }

  async #deleteData(id: string): Promise<boolean> {
    const { status, uncertain } = await this.#backend.send({ method: 'DELETE', path: id });
    if (isGone(status)) return uncertain;
    if (status >= 300) throw unexpected('DELETE', status);
    return true;
  }

  async #create(id: string, init: StreamInit): Promise<Created | undefined> {
    const begun = performance.now();
    const token = randomUUID();
    if (!(await this.#take(id, token, init))) return undefined;
    let data = await this.#putData(id, init);
    if (!data) {
      // Another process considered this one dead and replaced it, or the bytes of a deleted stream remain.
      if (!(await this.#isOurs(id, token))) return undefined;
      await this.#deleteData(id);
      data = await this.#putData(id, init);
      if (!data) return undefined;
    }
    if (performance.now() - begun > QUICK_MS && !(await this.#isOurs(id, token))) return undefined;
    return { token, tail: data.tail };
  }

  /** Writes this create to the log, as the first one or after a stream that no longer exists. */
  async #take(id: string, token: string, init: StreamInit): Promise<boolean> {
    const deadline = performance.now() + ABSENT_MS;
    for (;;) {
      if (await this.#metadata.begin(id, token, init)) return true;
      const incarnation = await this.#metadata.read(id);
      if (!incarnation) {
        // The log was deleted in between, or the backend has something else under its name.
        if (performance.now() > deadline) {
          throw new StoreError('UNAVAILABLE', `The metadata of ${id} at the backend cannot be read`);
        }
        await this.#backend.pause(POLL_MS);
        continue;
      }
      if (incarnation.token === token) return true;
      if (await this.#dataExists(id, incarnation)) return false;
      const now = await this.#metadata.read(id);
      if (now?.token !== incarnation.token) continue;
      // The TTL of a log depends on its first stream, so a new stream must not have a longer TTL than that.
      if (init.ttlSeconds > now.logTtlSeconds) await this.#metadata.delete(id);
      else await this.#metadata.follow(id, token, init, now.token).catch(ignoreMissing);
    }
  }

  /**
   * Returns true if the data stream exists. If not, it is being created or deleted, its process died in between, or
   * it has expired. Only waiting shows which.
   */
  async #dataExists(id: string, incarnation: Incarnation): Promise<boolean> {
    const deadline = performance.now() + ABSENT_MS;
    for (;;) {
      if (await this.head(id)) return true;
      if (performance.now() > deadline) return false;
      await this.#backend.pause(POLL_MS);
      if ((await this.#metadata.read(id))?.token !== incarnation.token) return false;
    }
  }

  async #isOurs(id: string, token: string): Promise<boolean> {
    return (await this.#metadata.read(id))?.token === token;
  }

  /**
   * Returns the data stream if it is new. One that exists after a lost response is the one that was requested, or one of
   * another process.
   */
  async #putData(id: string, { ttlSeconds }: StreamInit): Promise<Pick<Created, 'tail'> | undefined> {
    const { status, headers, uncertain } = await this.#backend.send({
      method: 'PUT',
      path: id,
      headers: { 'content-type': DATA_CONTENT_TYPE, [STREAM_TTL]: String(ttlSeconds) },
    });
    if (status === 201) return { tail: headerOf(headers, STREAM_NEXT_OFFSET) };
    if (status === 200 && uncertain) return { tail: undefined };
    if (status === 200 || status === 409) return undefined;
    throw unexpected('PUT', status);
  }
}

function ignoreMissing(error: unknown): void {
  if (!isStoreError(error, 'NOT_FOUND')) throw error;
}
