import { closeSync, fdatasync, fstatSync, openSync, write } from 'node:fs';
import { promisify } from 'node:util';
import type { Operation } from './operations.ts';

/** What LMDB says of its file. */
export interface Usage {
  readonly pageBytes: number;
  /** Pages that it has ever used. */
  readonly pages: number;
  /** How many of them are free at present. */
  readonly free: number;
}

/** The smallest that LMDB has; where pages are larger, less of them is needed. */
const PAGE_BYTES = 4096;
/** Pages that are filled in one go. */
const STEP_PAGES = 512;
/**
 * Pages that are out of bounds for commits that only add. Those that remove as well (a close, a delete among
 * appends) may take half of them, and all of them those that do little else: a full disk can still be swept.
 */
const RESERVE_PAGES = 1024;
/** Pages that any commit may take for the upper levels of its trees, and for its list of free pages. */
const COMMIT_PAGES = 128;
/** Free pages that are counted upon: of more, LMDB may not know. */
const FREE_PAGES = 4000;
/** Free pages that are not: what the last commits set free is not for the next. */
const FRESHLY_FREE_PAGES = 256;
/** Values up to here share a page with others, larger ones have pages of their own, which must adjoin. */
const LARGEST_SHARED_BYTES = 2000;

const writeAt = promisify(write);
const flush = promisify(fdatasync);

/** What some operations may take of the disk, at most. */
export interface Need {
  /** Pages of the tree that are copied or split. */
  readonly shared: number;
  /** Pages for large values. */
  readonly adjoining: number;
  readonly removals: number;
  readonly puts: number;
}

export const NO_NEED: Need = { shared: 0, adjoining: 0, removals: 0, puts: 0 };

/** Of `need` and these. */
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
 * Makes sure, before a commit, that the disk has room for it: fills the end of LMDB's file with zeros ahead
 * of LMDB. So a full disk is met with here, where it is an error like any other, and not within a commit:
 * there LMDB (3.5) prints its report into a buffer that is too small for it, which can end the process.
 */
export class Room {
  readonly #fd: number;
  readonly #usage: () => Usage;
  readonly #pageBytes: number;
  /** Pages that the file has on disk. */
  #filled: number;

  constructor(path: string, usage: () => Usage) {
    this.#usage = usage;
    this.#pageBytes = usage().pageBytes;
    this.#fd = openSync(path, 'r+');
    this.#filled = this.#sizeInPages();
  }

  /** @param isUrgent may take the reserve too. */
  has(need: Need, isUrgent = false): boolean {
    return this.#missing(need, isUrgent) <= 0;
  }

  /**
   * Makes room, and some more. Never while a commit is on its way: LMDB might be writing there. It is not
   * flushed: what the commit writes over before its own flush reaches the disk once.
   * @throws Error when the disk is full.
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

  /** How many pages have to be filled for this; less than 0 when there are more than enough. */
  #missing(need: Need, isUrgent: boolean): number {
    const { pages, free } = this.#usage();
    const reusable = Math.max(0, Math.min(free, FREE_PAGES) - FRESHLY_FREE_PAGES);
    const shared = need.shared + COMMIT_PAGES + (isUrgent ? 0 : reserveFor(need));
    return need.adjoining + Math.max(0, shared - reusable) - (this.#filled - pages);
  }
}
