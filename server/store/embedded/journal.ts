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

/** The operations of one commit, and its number. */
export interface JournalEntry {
  readonly number: number;
  readonly operations: readonly Operation[];
}

const flushFile = promisify(fdatasync);

const NAMES = ['journal-a.log', 'journal-b.log'] as const;

/** Initial size of a file, so that the first commits succeed even on a full disk. */
const FIRST_BYTES = 2_097_152;
/** An empty file that is larger than this is truncated. */
const LARGEST_BYTES = 16_777_216;

/**
 * Two files that take turns. A commit is appended to one of them by a plain write, which survives a crash of this
 * process as soon as it returns. One more flush, of blocks that the file already owns, makes it survive a power
 * failure. Once LMDB contains everything in a file, flushed, the file is reused: overwritten from the start. Entry
 * numbers identify entries of an earlier turn, and entries that a power failure brings back. Files contain entries of
 * one session only: `begin` removes those of earlier ones.
 */
export class Journal {
  readonly #files: readonly [JournalFile, JournalFile];
  #active: 0 | 1 = 0;

  constructor(dataDir: string) {
    this.#files = [new JournalFile(join(dataDir, NAMES[0])), new JournalFile(join(dataDir, NAMES[1]))];
    flushDirectory(dataDir);
  }

  /** Returns the commits after number `after`, without a gap. Ends before an incomplete or damaged entry. */
  entries(after: number): JournalEntry[] {
    const found = this.#files.flatMap((file) => file.entries()).sort((a, b) => a.number - b.number);
    const entries: JournalEntry[] = [];
    for (const entry of found) if (entry.number === after + entries.length + 1) entries.push(entry);
    return entries;
  }

  /** @throws Error if the entry could not be written. The file then contains nothing of it. */
  append(entry: JournalEntry): void {
    this.#files[this.#active].append(encodeEntry(entry));
  }

  /** Resolves when everything that was appended to the current file survives a power failure. */
  flush(): Promise<void> {
    return this.#files[this.#active].flush();
  }

  /** Switches to the other file, if it is empty. */
  turn(): void {
    const other = this.#active === 0 ? 1 : 0;
    if (this.#files[other].isEmpty) this.#active = other;
  }

  /**
   * Makes both files ready for this session, once LMDB contains everything that `entries` returned. Removes every
   * entry of earlier sessions, and flushes: after a gap that a power failure left, there may be entries that were not
   * replayed. This session reuses their numbers, and a later replay would confuse them with its own.
   */
  begin(): void {
    for (const file of this.#files) file.begin();
  }

  /** Resets the file that is not in use. */
  retire(): void {
    this.#files[this.#active === 0 ? 1 : 0].restart();
  }

  /** @param isDone true if the files are no longer needed. */
  close(isDone: boolean): void {
    for (const file of this.#files) file.close(isDone);
  }
}

class JournalFile {
  readonly #fd: number;
  readonly #path: string;
  /** Position of the next commit. */
  #position = 0;

  constructor(path: string) {
    this.#path = path;
    this.#fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  }

  /** Overwrites in place, so that the file keeps its blocks on a full disk. */
  begin(): void {
    const zeros = Buffer.alloc(FIRST_BYTES);
    let done = 0;
    try {
      while (done < FIRST_BYTES) done += writeSync(this.#fd, zeros, 0, FIRST_BYTES - done, done);
    } catch {
      // Ignored, so that the store can open on a full disk.
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

/**
 * Flushes the directory, so that the names of new files survive a power failure. Does nothing on systems that cannot
 * flush a directory.
 */
function flushDirectory(path: string): void {
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    fsyncSync(fd);
  } catch {
    // Windows cannot open a directory.
  }
  if (fd !== undefined) closeSync(fd);
}

/** @throws Error if there is no space. The bytes that were written by then are not a complete entry. */
function writeWhole(fd: number, bytes: Buffer, position: number): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(fd, bytes, done, bytes.length - done, position + done);
  }
}

/** Length of the body, checksum of the body and the number, the number. */
const HEADER_BYTES = 16;
const OPERATION_BYTES = 6;
/** Length of a missing value. */
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
