import {
  closeSync,
  constants,
  fdatasync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import type { Operation } from './operations.ts';

/** What one commit wrote, and its number. */
export interface JournalEntry {
  readonly number: number;
  readonly operations: readonly Operation[];
}

const flushFile = promisify(fdatasync);

const NAMES = ['journal-a.log', 'journal-b.log'] as const;

/** What a file begins with, so that there is room for the first commits on a full disk too. */
const FIRST_BYTES = 2_097_152;
/** A file that has grown beyond this is cut when it is empty. */
const LARGEST_BYTES = 16_777_216;

/**
 * Two files that take turns. A commit is appended to one of them by a plain write, which survives this
 * process as soon as it returns; one flush more, of blocks that are the file's own already, and it survives a
 * power cut. When LMDB holds, flushed, all that a file does, it is begun anew: written over from the start.
 * Entry numbers identify what is left of an earlier turn, and what a power cut brings back. Files hold entries
 * of one session only: `begin` removes those of earlier ones.
 */
export class Journal {
  readonly #files: readonly [JournalFile, JournalFile];
  #active: 0 | 1 = 0;

  constructor(dataDir: string) {
    this.#files = [new JournalFile(join(dataDir, NAMES[0])), new JournalFile(join(dataDir, NAMES[1]))];
    flushDirectory(dataDir);
  }

  /** The commits behind number `after`, without a gap. Where a file broke off or is damaged it ends. */
  entries(after: number): JournalEntry[] {
    const found = this.#files.flatMap((file) => file.entries()).sort((a, b) => a.number - b.number);
    const entries: JournalEntry[] = [];
    for (const entry of found) if (entry.number === after + entries.length + 1) entries.push(entry);
    return entries;
  }

  /** @throws Error when it could not be written; nothing is left of it then. */
  append(entry: JournalEntry): void {
    this.#files[this.#active].append(encodeEntry(entry));
  }

  /** Resolves when a power cut cannot take back what was appended to the file that takes commits now. */
  flush(): Promise<void> {
    return this.#files[this.#active].flush();
  }

  /** Has the other file take what comes, if it is empty. */
  turn(): void {
    const other = this.#active === 0 ? 1 : 0;
    if (this.#files[other].isEmpty) this.#active = other;
  }

  /**
   * Makes both files ready for this session, once LMDB holds all that `entries` returned. Removes every entry of
   * earlier sessions, flushed: behind a gap that a power cut left there may be some that were not replayed. This
   * session gives their numbers again, and a later replay would take them for its own.
   */
  begin(): void {
    for (const file of this.#files) file.begin();
  }

  /** Begins the file anew that takes nothing now. */
  retire(): void {
    this.#files[this.#active === 0 ? 1 : 0].restart();
  }

  /** @param isDone true when nothing in it is needed any more. */
  close(isDone: boolean): void {
    for (const file of this.#files) file.close(isDone);
  }
}

class JournalFile {
  readonly #fd: number;
  readonly #path: string;
  /** Where the next commit goes. */
  #position = 0;

  constructor(path: string) {
    this.#path = path;
    this.#fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  }

  /** Overwrites in place: on a full disk the file keeps the blocks that it has. */
  begin(): void {
    const zeros = Buffer.alloc(FIRST_BYTES);
    let done = 0;
    try {
      while (done < FIRST_BYTES) done += writeSync(this.#fd, zeros, 0, FIRST_BYTES - done, done);
    } catch {
      // The store can open on a full disk.
    }
    ftruncateSync(this.#fd, done);
    fsyncSync(this.#fd);
  }

  get isEmpty(): boolean {
    return this.#position === 0;
  }

  entries(): JournalEntry[] {
    return decodeEntries(readFileSync(this.#path));
  }

  append(bytes: Buffer): void {
    writeWhole(this.#fd, bytes, this.#position);
    this.#position += bytes.length;
  }

  flush(): Promise<void> {
    return flushFile(this.#fd);
  }

  restart(): void {
    if (this.#position > LARGEST_BYTES) ftruncateSync(this.#fd, FIRST_BYTES);
    this.#position = 0;
  }

  close(isDone: boolean): void {
    closeSync(this.#fd);
    if (isDone) unlinkSync(this.#path);
  }
}

/** So that a power cut leaves the names of new files too. Where a directory cannot be flushed, it need not be. */
function flushDirectory(path: string): void {
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    fsyncSync(fd);
  } catch {
    // Windows does not even open one.
  }
  if (fd !== undefined) closeSync(fd);
}

/** @throws Error when there is no room; what was written then is no whole entry. */
function writeWhole(fd: number, bytes: Buffer, position: number): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(fd, bytes, done, bytes.length - done, position + done);
  }
}

/** Length of the body, its checksum with the number's, the number. */
const HEADER_BYTES = 16;
const OPERATION_BYTES = 6;
/** Stands for the length of a value where there is none. */
const REMOVED = 0xffff_ffff;

function encodeEntry({ number, operations }: JournalEntry): Buffer {
  let size = HEADER_BYTES;
  for (const { key, value } of operations) size += OPERATION_BYTES + key.length + (value?.length ?? 0);
  const bytes = Buffer.allocUnsafe(size);
  bytes.writeUInt32BE(size - HEADER_BYTES, 0);
  bytes.writeDoubleBE(number, 8);
  let at = HEADER_BYTES;
  for (const { key, value } of operations) {
    bytes.writeUInt16BE(key.length, at);
    bytes.writeUInt32BE(value ? value.length : REMOVED, at + 2);
    bytes.set(key, at + OPERATION_BYTES);
    at += OPERATION_BYTES + key.length;
    if (value) bytes.set(value, at);
    at += value?.length ?? 0;
  }
  bytes.writeUInt32BE(crc32(bytes.subarray(8)), 4);
  return bytes;
}

function decodeEntries(bytes: Buffer): JournalEntry[] {
  const entries: JournalEntry[] = [];
  for (let start = 0; start + HEADER_BYTES <= bytes.length;) {
    const end = start + HEADER_BYTES + bytes.readUInt32BE(start);
    if (end > bytes.length || crc32(bytes.subarray(start + 8, end)) !== bytes.readUInt32BE(start + 4)) break;
    const operations: Operation[] = [];
    for (let at = start + HEADER_BYTES; at < end;) {
      const keyEnd = at + OPERATION_BYTES + bytes.readUInt16BE(at);
      const length = bytes.readUInt32BE(at + 2);
      const key = bytes.subarray(at + OPERATION_BYTES, keyEnd);
      at = length === REMOVED ? keyEnd : keyEnd + length;
      operations.push({ key, value: length === REMOVED ? undefined : bytes.subarray(keyEnd, at) });
    }
    entries.push({ number: bytes.readDoubleBE(start + 8), operations });
    start = end;
  }
  return entries;
}
