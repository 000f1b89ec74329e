import type { Timeline, TimelineEvent } from '../wire/types.ts';

/** Maximum number of events of one answer. */
const MAX_EVENTS = 64;
/** Number of points after which the distance between two points is doubled. */
const MAX_POINTS = 96;
const FIRST_STEP_MS = 1_000;

/** Events that are dropped first: an answer with many readers has many of them. */
const ABOUT_READERS: ReadonlySet<TimelineEvent['type']> = new Set(['reader-joined', 'reader-left', 'read']);

/** The timeline of one answer in one process, in bounded memory. */
export class TimelineRecord {
  readonly #events: TimelineEvent[] = [];
  #omitted = 0;
  #startedAt: number | undefined;
  #stepMs = FIRST_STEP_MS;
  #totals: number[] = [];

  add(event: TimelineEvent): void {
    this.#events.push(event);
    if (this.#events.length <= MAX_EVENTS) return;
    // Drops the oldest event of a reader. Without one, drops the oldest event after the first, which is usually
    // `created`.
    const found = this.#events.findIndex(({ type }) => ABOUT_READERS.has(type));
    this.#events.splice(found < 0 ? 1 : found, 1);
    this.#omitted += 1;
  }

  /**
   * Records the total bytes at a point in time.
   * @param startedAt Unix time in milliseconds at which the answer began. Only the first call's value counts.
   */
  sample(startedAt: number, at: number, bytes: number): void {
    this.#startedAt ??= startedAt;
    let index = Math.max(0, Math.floor((at - this.#startedAt) / this.#stepMs));
    while (index >= MAX_POINTS) {
      this.#totals = this.#totals.filter((_, position) => position % 2 === 1);
      this.#stepMs *= 2;
      index = Math.floor((at - this.#startedAt) / this.#stepMs);
    }
    const last = this.#totals.at(-1) ?? 0;
    while (this.#totals.length < index) this.#totals.push(last);
    this.#totals[index] = bytes;
  }

  get snapshot(): Timeline {
    const startedAt = this.#startedAt;
    return {
      events: [...this.#events],
      omitted: this.#omitted,
      ...(startedAt !== undefined && {
        bytes: { startedAt, stepMs: this.#stepMs, totals: [...this.#totals] },
      }),
    };
  }
}
