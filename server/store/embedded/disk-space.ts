import { closeSync, fdatasync, fstatSync, openSync, write } from 'node:fs';
import { promisify } from 'node:util';
import type { Operation } from './operations.ts';

/** LMDB's statistics of its file. */
export interface Usage {
  readonly pageBytes: number;
  /** Pages used so far, including free ones. */
  readonly pages: number;
  /** Number of them that are free. */
  readonly free: number;
}

/** LMDB's smallest page size, in bytes. With larger pages, fewer are needed. */
const PAGE_BYTES = 4096;
/** Pages that are filled at a time. */
const STEP_PAGES = 512;
/**
 * Reserved pages, which commits that only add may not use. Commits that also remove (a close, or a delete among
 * appends) may use half of them, and commits that mainly remove may use all: a full disk can still be swept.
 */
const RESERVE_PAGES = 1024;
/** Pages that any commit may use for the upper levels of its trees and for its list of free pages. */
const COMMIT_PAGES = 128;
/** Upper bound on reusable free pages. LMDB loads only part of its free list. */
const FREE_PAGES = 4000;
/** Free pages that cannot be reused yet: pages freed by recent commits. */
const FRESHLY_FREE_PAGES = 256;
/** Values up to this size share a page with others. Larger ones have pages of their own, which must be adjacent. */
const LARGEST_SHARED_BYTES = 2000;

const writeAt = promisify(write);
const flush = promisify(fdatasync);

/** Maximum disk space that some operations may need. */
export interface Need {
  /** Pages of the tree that are copied or split. */
  readonly shared: number;
  /** Adjacent pages for large values. */
  readonly adjoining: number;
  readonly removals: number;
  readonly puts: number;
}

export const NO_NEED: Need = { shared: 0, adjoining: 0, removals: 0, puts: 0 };

/** Returns the sum of `need` and the need of these operations. */
export function addNeed(need: Need, operations: readonly Operation[]): Need {
  let { shared, adjoining, removals, puts } = need;
  for (const { key, value } of operations) {
    shared += value && value.length > key.length * 4 ? 2 : 1;
    if (value) puts += 1;
    else removals += 1;
    if (value && value.length > LARGEST_SHARED_BYTES) adjoining += Math.ceil(value.length / PAGE_BYTES) + 1;
  }
  return { shared, adjoining, removals, puts };
}

function reserveFor({ removals, puts }: Need): number {
  if (removals > puts) return 0;
  return removals > 0 ? RESERVE_PAGES / 2 : RESERVE_PAGES;
}

/**
 * Ensures before a commit that the disk has space for it, by filling the end of LMDB's file with zeros ahead of LMDB. A
 * full disk is then an ordinary error here. Within a commit, LMDB (3.5) prints its report into a buffer that is too
 * small, which can end the process.
 */
export class DiskSpace {
  readonly #fd: number;
  readonly #usage: () => Usage;
  readonly #pageBytes: number;
  /** Pages of the file on disk. */
  #filled: number;

  constructor(path: string, usage: () => Usage) {
    this.#usage = usage;
    this.#pageBytes = usage().pageBytes;
    this.#fd = openSync(path, 'r+');
    this.#filled = this.#sizeInPages();
  }

  /** @param isUrgent true if the reserve may be used too. */
  has(need: Need, isUrgent = false): boolean {
    return this.#missing(need, isUrgent) <= 0;
  }

  /**
   * Allocates the space that is needed, and some more. Must not run while a commit is in progress: LMDB might be
   * writing there. The space is not flushed, so that pages that the commit overwrites before its own flush reach the
   * disk only once.
   * @throws Error if the disk is full.
   */
  async fill(need: Need, isUrgent = false): Promise<void> {
    this.#filled = this.#sizeInPages();
    const goal = this.#filled + this.#missing(need, isUrgent) + STEP_PAGES;
    const zeros = Buffer.alloc(STEP_PAGES * this.#pageBytes);
    try {
      while (this.#filled < goal) {
        await writeAt(this.#fd, zeros, 0, zeros.length, this.#filled * this.#pageBytes);
        this.#filled = this.#sizeInPages();
      }
    } catch (error) {
      if (!this.has(need, isUrgent)) throw error;
    }
  }

  flush(): Promise<void> {
    return flush(this.#fd);
  }

  close(): void {
    closeSync(this.#fd);
  }

  #sizeInPages(): number {
    return Math.floor(fstatSync(this.#fd).size / this.#pageBytes);
  }

  /** Returns the number of pages that have to be filled; negative if there are more than enough. */
  #missing(need: Need, isUrgent: boolean): number {
    const { pages, free } = this.#usage();
    const reusable = Math.max(0, Math.min(free, FREE_PAGES) - FRESHLY_FREE_PAGES);
    const shared = need.shared + COMMIT_PAGES + (isUrgent ? 0 : reserveFor(need));
    return need.adjoining + Math.max(0, shared - reusable) - (this.#filled - pages);
  }
}
