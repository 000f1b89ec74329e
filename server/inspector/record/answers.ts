import type { AnswerRow, ProcessFrame, RowTick } from '../wire/types.ts';
import { MAX_ANSWERS } from '../wire/types.ts';
import { TimelineRecord } from './timeline.ts';

/** A row that can be changed. */
export type Row = { -readonly [Name in keyof AnswerRow]: AnswerRow[Name] };

/** An answer with its timeline. */
export interface Kept {
  readonly row: Row;
  readonly timeline: TimelineRecord;
  /** Version of the last change other than of `bytes` and `readers`. */
  changed: number;
  /** Version of the last change of `bytes` or `readers`. */
  ticked: number;
}

/** The running and recent answers of a process: at most `MAX_ANSWERS`. */
export class Answers {
  readonly #kept = new Map<string, Kept>();
  readonly #running = new Map<string, Kept>();
  /** Ended answers, in the order in which they ended. */
  readonly #ended = new Set<Kept>();
  /** Rows that were dropped, each with the version of the drop. The last `MAX_ANSWERS` are kept. */
  readonly #gone: { readonly n: number; readonly version: number }[] = [];
  #count = 0;
  #version = 0;
  /** Version before which `#gone` is incomplete. */
  #goneSince = 0;

  get version(): number {
    return this.#version;
  }

  /** Adds an answer, and drops the answer that ended first if there are too many. */
  begin(id: string, properties: Omit<Row, 'n' | 'id' | 'bytes' | 'readers' | 'recoveries'>): Kept {
    const row: Row = { n: ++this.#count, id, bytes: 0, readers: 0, recoveries: 0, ...properties };
    const kept = { row, timeline: new TimelineRecord(), changed: ++this.#version, ticked: 0 };
    this.#kept.set(id, kept);
    this.#running.set(id, kept);
    if (this.#kept.size > MAX_ANSWERS) this.#drop(first(this.#ended) ?? first(this.#running.values())!);
    return kept;
  }

  get(id: string): Kept | undefined {
    return this.#kept.get(id);
  }

  /** Changes a row. */
  change(kept: Kept, properties: Partial<Row>): void {
    Object.assign(kept.row, properties);
    kept.changed = ++this.#version;
  }

  /** Changes the number of readers of a row. */
  readers(kept: Kept, by: 1 | -1): void {
    kept.row.readers = Math.max(0, kept.row.readers + by);
    kept.ticked = ++this.#version;
  }

  end(kept: Kept, properties: Partial<Row>): void {
    this.change(kept, properties);
    this.#running.delete(kept.row.id);
    this.#ended.add(kept);
  }

  forget(id: string): void {
    const kept = this.#kept.get(id);
    if (kept) this.#drop(kept);
  }

  /**
   * Reads the sizes of the running answers, and adds them to their timelines.
   * @param bytesOf returns undefined for an answer that this process no longer runs.
   * @returns the bytes that were added since the last call.
   */
  sample(at: number, bytesOf: (id: string) => number | undefined): number {
    let added = 0;
    for (const kept of this.#running.values()) {
      const { row } = kept;
      const bytes = bytesOf(row.id) ?? row.bytes;
      kept.timeline.sample(row.startedAt, at, bytes);
      if (bytes === row.bytes) continue;
      added += bytes - row.bytes;
      row.bytes = bytes;
      kept.ticked = ++this.#version;
    }
    return added;
  }

  /** Returns the changes since a version, or everything. */
  since(version: number | undefined): Pick<ProcessFrame, 'isFull' | 'rows' | 'ticks' | 'gone'> {
    if (version === undefined || version < this.#goneSince) {
      return { isFull: true, rows: Array.from(this.#kept.values(), copyOf), ticks: [], gone: [] };
    }
    const rows: AnswerRow[] = [];
    const ticks: RowTick[] = [];
    for (const kept of this.#kept.values()) {
      const { row } = kept;
      if (kept.changed > version) rows.push(copyOf(kept));
      else if (kept.ticked > version) ticks.push([row.n, row.bytes, row.readers]);
    }
    return { rows, ticks, gone: this.#gone.filter((each) => each.version > version).map(({ n }) => n) };
  }

  #drop(kept: Kept): void {
    this.#kept.delete(kept.row.id);
    this.#running.delete(kept.row.id);
    this.#ended.delete(kept);
    this.#gone.push({ n: kept.row.n, version: ++this.#version });
    if (this.#gone.length > MAX_ANSWERS) this.#goneSince = this.#gone.shift()!.version;
  }
}

function copyOf({ row }: Kept): AnswerRow {
  return { ...row };
}

function first<T>(values: Iterable<T>): T | undefined {
  for (const value of values) return value;
  return undefined;
}
