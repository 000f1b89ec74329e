import { randomUUID } from 'node:crypto';
import { STREAM_CLOSED, STREAM_NEXT_OFFSET, STREAM_TTL } from '../../../protocol/headers.ts';
import { type Fence, type Offset, type StreamInfo, type StreamInit, StoreError } from '../types.ts';
import type { Backend } from './backend.ts';
import type { Incarnation } from './meta-log.ts';
import type { Metadata } from './meta.ts';
import {
  closedError,
  DATA_CONTENT_TYPE,
  fencedError,
  headerOf,
  isGone,
  isTrue,
  notFound,
  unexpected,
} from './wire.ts';

/** Milliseconds for which a log must exist without its stream before its id counts as free. */
const ABSENT_MS = 2_000;
/** Milliseconds within which no other process can have treated this one as dead during an operation. */
const QUICK_MS = 1_000;
const LOOK_MS = 25;

/** The data stream according to the backend's HEAD. */
export interface DataHead {
  readonly tail: Offset;
  readonly closed: boolean;
}

/**
 * The streams that exist. A PUT alone does not distinguish a lost response from an existing stream, so the metadata log
 * decides: its first line names the owner of the id. The data stream is created next; only then the id is taken.
 */
export class Registry {
  readonly #backend: Backend;
  readonly #metadata: Metadata;
  readonly #creating = new Map<string, Promise<string | undefined>>();

  constructor(backend: Backend, metadata: Metadata) {
    this.#backend = backend;
    this.#metadata = metadata;
  }

  /** Returns the token of the new stream, or undefined if the id exists. Creates of one id run one after the other. */
  async create(id: string, init: StreamInit): Promise<string | undefined> {
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
      end: incarnation.end ?? (await this.#metadata.standingEnd(id)),
    };
  }

  /** Adopts an open stream. Returns its new fence. */
  async adopt(id: string, fence: Fence, entries: StreamInit['metadata']): Promise<Fence> {
    const [head, seen] = await Promise.all([this.head(id), this.#metadata.read(id)]);
    if (!head || !seen) throw notFound(id);
    if (head.closed) throw closedError(id);
    if (seen.fence !== fence) throw fencedError(id);
    const adopter = randomUUID();
    const now = await this.#metadata.adopt(id, { token: seen.token, adopter, fence, entries });
    if (now.token !== seen.token) throw notFound(id);
    if (now.adopter !== adopter) throw fencedError(id);
    return now.fence;
  }

  /**
   * Deletes the data first, since without it there is no stream. A log that remains, after a crash between the two or a
   * slow response, does not prevent a later create, and expires.
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

  async #create(id: string, init: StreamInit): Promise<string | undefined> {
    const begun = performance.now();
    const token = randomUUID();
    if (!(await this.#take(id, token, init))) return undefined;
    if (!(await this.#putData(id, init))) {
      // Another process considered this one dead and replaced it, or the bytes of a deleted stream remain.
      if (!(await this.#isOurs(id, token))) return undefined;
      await this.#deleteData(id);
      if (!(await this.#putData(id, init))) return undefined;
    }
    if (performance.now() - begun > QUICK_MS && !(await this.#isOurs(id, token))) return undefined;
    return token;
  }

  /** Writes this create to the log, as the first or after a stream that does not exist any more. */
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
        await this.#backend.pause(LOOK_MS);
        continue;
      }
      if (incarnation.token === token) return true;
      if (await this.#lives(id, incarnation)) return false;
      const now = await this.#metadata.read(id);
      if (now?.token !== incarnation.token) continue;
      // The backend keeps a log by the TTL of its first stream, which must not be the shorter one.
      if (init.ttlSeconds > now.logTtlSeconds) await this.#metadata.delete(id);
      else await this.#metadata.follow(id, token, init, now.token).catch(ignoreMissing);
    }
  }

  /**
   * Returns whether the data stream exists. If not, it is being created or deleted, its process died meanwhile, or it
   * has expired. Only waiting shows which.
   */
  async #lives(id: string, incarnation: Incarnation): Promise<boolean> {
    const deadline = performance.now() + ABSENT_MS;
    for (;;) {
      if (await this.head(id)) return true;
      if (performance.now() > deadline) return false;
      await this.#backend.pause(LOOK_MS);
      if ((await this.#metadata.read(id))?.token !== incarnation.token) return false;
    }
  }

  async #isOurs(id: string, token: string): Promise<boolean> {
    return (await this.#metadata.read(id))?.token === token;
  }

  /** Returns true if the data stream is new. One that exists after a lost response is the one that was requested. */
  async #putData(id: string, { ttlSeconds }: StreamInit): Promise<boolean> {
    const { status, uncertain } = await this.#backend.send({
      method: 'PUT',
      path: id,
      headers: { 'content-type': DATA_CONTENT_TYPE, [STREAM_TTL]: String(ttlSeconds) },
    });
    if (status === 201 || (status === 200 && uncertain)) return true;
    if (status === 200 || status === 409) return false;
    throw unexpected('PUT', status);
  }
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof StoreError && error.code === 'NOT_FOUND')) throw error;
}
