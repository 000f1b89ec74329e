import type { Fence, StreamEnd, StreamInit } from '../types.ts';
import type { Argument, Reply } from './connection.ts';
import { invalidOffset } from '../shared/errors.ts';
import { notFound } from '../shared/errors.ts';
import { bytesLost } from './failures.ts';
import { keysOf, type RedisKeys } from './keys.ts';
import { parseEnd } from './messages.ts';
import { MIN_ENTRY_BYTES, readLog } from './log-reader.ts';
import type { Requests, RunOptions } from './requests.ts';
import type { Script } from './script.ts';
import type { Scripts, Status } from './scripts.ts';
import { StoreError } from '../types.ts';

/** Maximum size of a log entry in bytes. Longer appends are split, so that a read never handles a huge entry. */
export const ENTRY_BYTES = 65_536;

/** Bytes of a read that a script returns with the state of the stream. The rest of a longer read is read without a script. */
const SCRIPT_BYTES = 65_536;

/** Position and end of a stream. */
export interface State {
  readonly epoch: string;
  /** Position after the last byte. */
  readonly tail: number;
  readonly end?: StreamEnd;
}

/** State of a stream with its properties. */
export interface Described extends State {
  /** Properties with which the stream was created. */
  readonly init: StreamInit;
  /** Entries that were later added to the metadata, one line of JSON each. */
  readonly notes: string;
  readonly fence: Fence;
}

export interface Opened extends Described {
  readonly owner: string;
}

export interface Annotated {
  readonly epoch: string;
  readonly notes: string;
}

export interface Chunk extends State {
  readonly bytes: Buffer;
  /** Average bytes of an entry, if the read found any. */
  readonly entryBytes?: number;
}

export interface ReadOptions {
  /** Whether this read restarts the TTL. */
  readonly touch: boolean;
  /** Epoch of the expected stream, to detect that the id was created again. */
  readonly epoch?: string;
  /** `entryBytes` of an earlier read of the same stream. */
  readonly entryBytes?: number | undefined;
}

/** A writer's knowledge of a stream that it created. Streams of other creators are not checked. */
export interface Written {
  readonly epoch: string;
  /** The highest tail that Redis acknowledged. */
  readonly tail: number;
}

export interface Appended extends State {
  /** True if an earlier attempt had already written the bytes. */
  readonly again: boolean;
}

export interface Closed extends State {
  readonly end: StreamEnd;
  /** True if this call closed the stream and stored its bytes. */
  readonly added: boolean;
}

export interface Closing {
  readonly end: StreamEnd;
  /** The end to store instead if acknowledged bytes are missing. */
  readonly whenLost: StreamEnd;
  readonly last?: Uint8Array;
  readonly written: Written | undefined;
  readonly fence: Fence | undefined;
}

export interface Adopted extends Written, Annotated {
  readonly fence: Fence;
}

/** The store's operations on Redis, typed. Converts the statuses of the scripts to `StoreError`s. */
export class Commands {
  readonly #requests: Requests;
  readonly #scripts: Scripts;
  readonly #prefix: string;
  /** Identifies this store among all that write to the same streams. */
  readonly #who: string;
  #number = 0;

  constructor(requests: Requests, scripts: Scripts, prefix: string, who: string) {
    this.#requests = requests;
    this.#scripts = scripts;
    this.#prefix = prefix;
    this.#who = who;
  }

  keys(id: string): RedisKeys {
    return keysOf(this.#prefix, id);
  }

  /** Returns false if the id is taken. `epoch` identifies this stream among all that are created under the id. */
  async create(id: string, epoch: string, init: StreamInit): Promise<boolean> {
    const ttlMs = Math.max(1, Math.ceil(init.ttlSeconds * 1000));
    const args = [epoch, this.#who, encodeInit(init), String(ttlMs)];
    const [status] = await this.#run(this.#scripts.create, id, args);
    return status === 'OK';
  }

  async annotate(
    id: string,
    entries: StreamInit['metadata'],
    written?: Written,
    fence?: Fence,
  ): Promise<Annotated> {
    const args = [this.#who, written?.epoch ?? '', String(fence ?? ''), `${JSON.stringify(entries)}\n`];
    const [, epoch, notes] = await this.#run(this.#scripts.annotate, id, args, { isWrite: true });
    return { epoch: text(epoch), notes: text(notes) };
  }

  async append(id: string, bytes: Uint8Array, written?: Written, fence?: Fence): Promise<Appended> {
    const number = String((this.#number += 1));
    const { epoch: life = '', tail: least = 0 } = written ?? {};
    const args = [this.#who, number, life, String(least), String(fence ?? ''), ...entriesOf(bytes)];
    const [status, epoch, tail] = await this.#run(this.#scripts.append, id, args, { isWrite: true });
    return { again: status === 'AGAIN', epoch: text(epoch), tail: Number(text(tail)) };
  }

  async close(id: string, { end, whenLost, last, written, fence }: Closing): Promise<Closed> {
    const args = [
      this.#who,
      written?.epoch ?? '',
      String(written?.tail ?? 0),
      JSON.stringify(end),
      JSON.stringify(whenLost),
      String(fence ?? ''),
      ...(last ? entriesOf(last) : []),
    ];
    const [status, epoch, tail, stands] = await this.#run(this.#scripts.close, id, args, {
      tolerate: 'LOST',
      isWrite: true,
    });
    return {
      added: status === 'OK',
      epoch: text(epoch),
      tail: Number(text(tail)),
      end: parseEnd(text(stands)),
    };
  }

  /** Raises the fence, and adds entries to the metadata. */
  async adopt(id: string, fence: Fence, entries: StreamInit['metadata']): Promise<Adopted> {
    const adopter = `${this.#who}:${(this.#number += 1)}`;
    const args = [this.#who, adopter, String(fence), `${JSON.stringify(entries)}\n`];
    const [, epoch, tail, raised, notes] = await this.#run(this.#scripts.adopt, id, args, { isWrite: true });
    return {
      epoch: text(epoch),
      tail: Number(text(tail)),
      fence: Number(text(raised)),
      notes: text(notes),
    };
  }

  async read(id: string, from: number, maxBytes: number, options: ReadOptions): Promise<Chunk> {
    const most = Math.max(1, Math.floor(maxBytes));
    const { epoch, entryBytes = 0 } = options;
    if (epoch && entryBytes >= MIN_ENTRY_BYTES && most > SCRIPT_BYTES) {
      const chunk = await this.#readRest(id, from, most, { ...options, epoch, entryBytes });
      if (chunk) return chunk;
    }
    const first = await this.#readByScript(id, from, Math.min(most, SCRIPT_BYTES), options);
    const left = Math.min(most, first.tail - from) - first.bytes.length;
    if (left <= 0 || first.bytes.length === 0) return first;
    const rest = { ...first, touch: false, before: first.bytes };
    const at = from + first.bytes.length;
    const more = first.entryBytes >= MIN_ENTRY_BYTES && (await this.#readRest(id, at, left, rest));
    if (more) return more;
    const second = await this.#readByScript(id, at, left, rest);
    return { ...second, bytes: Buffer.concat([first.bytes, second.bytes]) };
  }

  async #readByScript(id: string, from: number, most: number, { touch, epoch = '' }: ReadOptions) {
    const args = [String(from), String(most), epoch, touch ? '1' : '0'];
    const [, life, tail, end, bytes, entryBytes] = await this.#run(this.#scripts.read, id, args);
    return { ...state(life, tail, end), bytes: bytes as Buffer, entryBytes: Number(entryBytes) };
  }

  /**
   * Reads without a script the bytes of a stream whose epoch is known, and then its state. The epoch is still the same, so the
   * bytes belong to this stream. Returns undefined if it found none: a script reports why.
   * @param options `before`: bytes to return before those from the position.
   */
  async #readRest(
    id: string,
    from: number,
    maxBytes: number,
    options: ReadOptions & Required<Pick<Chunk, 'epoch' | 'entryBytes'>> & { readonly before?: Buffer },
  ): Promise<Chunk | undefined> {
    const { log } = this.keys(id);
    const { parts, size, entryBytes } = await readLog(this.#requests, {
      log,
      from,
      maxBytes,
      entryBytes: options.entryBytes,
    });
    if (size === 0) return undefined;
    const found = await this.#readByScript(id, from + size, 0, options);
    const { before = Buffer.alloc(0) } = options;
    return { ...found, bytes: Buffer.concat([before, ...parts], before.length + size), entryBytes };
  }

  /** Restarts the TTL and returns the state of the stream. */
  async open(id: string): Promise<Opened> {
    const [, epoch, tail, end, owner, ...rest] = await this.#run(this.#scripts.open, id, []);
    return { ...state(epoch, tail, end), owner: text(owner), ...described(rest) };
  }

  /** Returns the state of the stream without restarting its TTL. */
  async head(id: string): Promise<Described | undefined> {
    const [status, epoch, tail, end, ...rest] = await this.#run(this.#scripts.head, id, [], {
      tolerate: 'NOT_FOUND',
    });
    if (status === 'NOT_FOUND') return undefined;
    return { ...state(epoch, tail, end), ...described(rest) };
  }

  /**
   * Deletes a stream. If the reply to an earlier attempt was lost and the stream does not exist, it counts as deleted
   * by that attempt.
   * @returns true if the stream existed.
   */
  async delete(id: string): Promise<boolean> {
    let repeated = false;
    const [status] = await this.#run(this.#scripts.delete, id, [this.#who], {
      onRepeat: () => (repeated = true),
      tolerate: 'NOT_FOUND',
    });
    return status === 'OK' || repeated;
  }

  async #run(
    script: Script,
    id: string,
    args: readonly Argument[],
    options: RunOptions & { readonly tolerate?: Status } = {},
  ): Promise<readonly [Status, ...Reply[]]> {
    const { meta, log } = this.keys(id);
    const [status, ...rest] = await this.#requests.run(script, [meta, log], args, options);
    const word = text(status) as Status;
    if (word !== options.tolerate) throwFor(word);
    return [word, ...rest];
  }
}

function throwFor(status: Status): void {
  switch (status) {
    case 'NOT_FOUND':
      throw notFound();
    case 'CLOSED':
      throw new StoreError('CLOSED', 'The stream is closed');
    case 'FENCED':
      throw new StoreError('FENCED', 'Another process has adopted the stream');
    case 'INVALID_OFFSET':
      throw invalidOffset();
    case 'LOST':
      throw bytesLost();
  }
}

/** Splits bytes into entries, as views of the same memory. */
function entriesOf(bytes: Uint8Array): Buffer[] {
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (whole.length <= ENTRY_BYTES) return whole.length > 0 ? [whole] : [];
  const entries: Buffer[] = [];
  for (let at = 0; at < whole.length; at += ENTRY_BYTES) entries.push(whole.subarray(at, at + ENTRY_BYTES));
  return entries;
}

function encodeInit({ contentType, ttlSeconds, metadata }: StreamInit): string {
  return JSON.stringify({ contentType, ttlSeconds, metadata });
}

function text(reply: Reply | undefined): string {
  return Buffer.isBuffer(reply) ? reply.toString() : String(reply);
}

function described([init, notes, fence]: readonly Reply[]): Pick<Described, 'init' | 'notes' | 'fence'> {
  return {
    init: JSON.parse(text(init)) as StreamInit,
    notes: notes == null ? '' : text(notes),
    fence: fence == null ? 0 : Number(text(fence)),
  };
}

function state(epoch: Reply | undefined, tail: Reply | undefined, end: Reply | undefined): State {
  return {
    epoch: text(epoch),
    tail: Number(text(tail)),
    ...(end != null && { end: parseEnd(text(end)) }),
  };
}
