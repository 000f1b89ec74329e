import { hostname } from 'node:os';
import type { ProxyEvent } from '../../shared/events.ts';
import type { ProcessFrame, StoreSummary, Timeline, TimelineEvent } from '../wire/types.ts';
import { MAX_ANSWERS } from '../wire/types.ts';
import { Answers, type Kept } from './answers.ts';
import { LastHour } from './last-hour.ts';
import { TimelineRecord } from './timeline.ts';

/** Milliseconds between two samples of the sizes of running answers. */
const SAMPLE_MS = 1_000;
/** Maximum characters of a text that a caller sent. */
const MAX_CHARS = 200;

export interface RecorderOptions {
  readonly processId: string;
  /** Returns the bytes of an answer that this process runs. */
  readonly bytesOf: (streamId: string) => number | undefined;
  readonly running: () => number;
  readonly isDraining: () => boolean;
}

/** Reads of an answer that another process runs. */
interface Visited {
  readers: number;
  readonly timeline: TimelineRecord;
}

/** Records the answers of one process from its events, in bounded memory. */
export class Recorder {
  readonly #options: RecorderOptions;
  readonly #answers = new Answers();
  readonly #hour = new LastHour();
  /** Answers of other processes, in the order in which they were first read. */
  readonly #visited = new Map<string, Visited>();
  /** Milliseconds until the upstream's headers, for answers without a first byte yet. */
  readonly #headersMs = new Map<string, number>();
  readonly #startedAt = Date.now();
  #readers = 0;
  #bytesPerSecond = 0;
  /** Bytes of answers that were closed since the last sampling. */
  #unsampledBytes = 0;
  #sampledAt = Date.now();
  #timer: NodeJS.Timeout | undefined;
  store: StoreSummary = { kind: 'unknown' };

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#sample(), SAMPLE_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  onAppend(ms: number): void {
    this.#hour.append(ms);
  }

  onEvent(event: ProxyEvent): void {
    switch (event.type) {
      case 'refused':
        return this.#hour.refused(event.code);
      case 'created':
        return this.#created(event);
      case 'first-byte':
        return this.#firstByte(event);
      case 'recovered':
        return this.#recovered(event);
      case 'released':
        return this.#released(event.streamId);
      case 'closed':
        return this.#closed(event);
      case 'read-begun':
        return this.#read(event.streamId, 1, readEvent(event.mode, true));
      case 'read-ended':
        return this.#read(event.streamId, -1, readEvent(event.mode, false));
      case 'replayed':
        return this.#note(event.streamId, { type: 'replayed' });
      case 'aborted':
        return this.#note(event.streamId, { type: 'stopped', detail: `by ${event.by}` });
    }
  }

  /** Removes an answer that was deleted. */
  forget(streamId: string): void {
    this.#answers.forget(streamId);
    this.#visited.delete(streamId);
    this.#headersMs.delete(streamId);
  }

  timelineOf(streamId: string): Timeline | undefined {
    return (this.#answers.get(streamId) ?? this.#visited.get(streamId))?.timeline.snapshot;
  }

  get version(): number {
    return this.#answers.version;
  }

  /**
   * Returns the changes since a version, or everything.
   * @param wanted ids of the answers whose timelines the frame contains.
   */
  frameSince(version: number | undefined, wanted: Iterable<string> = []): ProcessFrame {
    const timelines: [string, Timeline][] = [];
    for (const id of wanted) {
      const timeline = this.timelineOf(id);
      if (timeline) timelines.push([id, timeline]);
    }
    const elsewhere = [...this.#visited].flatMap(([id, { readers }]) =>
      readers > 0 ? [[id, readers] as const] : [],
    );
    const { processId, running, isDraining } = this.#options;
    return {
      process: processId,
      ...this.#answers.since(version),
      summary: {
        host: hostname(),
        pid: process.pid,
        startedAt: this.#startedAt,
        running: running(),
        readers: this.#readers,
        bytesPerSecond: this.#bytesPerSecond,
        isDraining: isDraining(),
        store: this.store,
        hour: this.#hour.counts,
      },
      elsewhere: Object.fromEntries(elsewhere),
      ...(timelines.length > 0 && { timelines: Object.fromEntries(timelines) }),
    };
  }

  #created(event: ProxyEvent & { type: 'created' }): void {
    const { streamId, headersMs, upstream, subject, streamKey, idempotencyKey } = event;
    const kept = this.#answers.begin(streamId, {
      // The time at which the request to the upstream was sent.
      startedAt: Math.round(Date.now() - headersMs),
      upstream: short(upstream),
      ...(subject !== undefined && { subject: short(subject) }),
      ...(streamKey !== undefined && { streamKey: short(streamKey) }),
      ...(idempotencyKey !== undefined && { idempotencyKey: short(idempotencyKey) }),
    });
    this.#headersMs.set(streamId, headersMs);
    kept.timeline.add({ type: 'created', at: kept.row.startedAt });
    // With `Prefer: respond-async`, readers may have joined before this event.
    this.#joinVisited(kept);
  }

  /** Moves the readers and the timeline of an answer that this process did not run until now. */
  #joinVisited(kept: Kept): void {
    const { id } = kept.row;
    const visited = this.#visited.get(id);
    if (!visited) return;
    this.#visited.delete(id);
    for (const earlier of visited.timeline.snapshot.events) kept.timeline.add(earlier);
    this.#answers.change(kept, { readers: visited.readers });
  }

  /** Keeps the readers and the timeline of an answer that another process continues. */
  #released(streamId: string): void {
    const kept = this.#answers.get(streamId);
    if (!kept) return;
    this.forget(streamId);
    this.#keepVisited(streamId, { readers: kept.row.readers, timeline: kept.timeline });
  }

  #firstByte({ streamId, ms }: ProxyEvent & { type: 'first-byte' }): void {
    const headersMs = this.#headersMs.get(streamId);
    this.#headersMs.delete(streamId);
    const kept = this.#answers.get(streamId);
    // The first byte after an adoption is not the first one of the answer.
    if (headersMs === undefined || !kept) return;
    const firstTokenMs = headersMs + ms;
    this.#hour.firstToken(firstTokenMs);
    this.#answers.change(kept, { firstTokenMs: Math.round(firstTokenMs) });
    this.#note(streamId, { type: 'first-byte', detail: `after ${Math.round(firstTokenMs)} ms` });
  }

  #recovered({ streamId, subject, adopted, cause, gapMs }: ProxyEvent & { type: 'recovered' }): void {
    const known = this.#answers.get(streamId);
    const kept =
      known ??
      this.#answers.begin(streamId, {
        startedAt: Date.now(),
        ...(subject !== undefined && { subject: short(subject) }),
        ...(adopted && { isAdopted: true }),
      });
    if (!known) this.#joinVisited(kept);
    this.#answers.change(kept, { recoveries: kept.row.recoveries + 1 });
    this.#note(streamId, { type: 'recovered', detail: `after ${cause}, gap of ${Math.round(gapMs)} ms` });
  }

  #closed({ streamId, outcome, bytes, usage }: ProxyEvent & { type: 'closed' }): void {
    this.#hour.closed(outcome);
    this.#headersMs.delete(streamId);
    const kept = this.#answers.get(streamId);
    if (!kept) return;
    const endedAt = Date.now();
    // These bytes arrived after the last sample.
    this.#unsampledBytes += Math.max(0, bytes - kept.row.bytes);
    kept.timeline.sample(kept.row.startedAt, endedAt, bytes);
    this.#answers.end(kept, { outcome, endedAt, bytes, ...(usage && { usage }) });
    this.#note(streamId, { type: 'ended', detail: outcome });
  }

  #read(streamId: string, by: 1 | -1, event: Omit<TimelineEvent, 'at'> | undefined): void {
    this.#readers += by;
    const kept = this.#answers.get(streamId);
    if (kept) this.#answers.readers(kept, by);
    else this.#visit(streamId, by);
    if (event) this.#note(streamId, event);
  }

  #visit(streamId: string, by: 1 | -1): void {
    const visited = this.#visited.get(streamId) ?? { readers: 0, timeline: new TimelineRecord() };
    visited.readers = Math.max(0, visited.readers + by);
    this.#keepVisited(streamId, visited);
  }

  #keepVisited(streamId: string, visited: Visited): void {
    this.#visited.set(streamId, visited);
    if (this.#visited.size <= MAX_ANSWERS) return;
    const [oldest] = this.#visited.keys();
    if (oldest !== undefined) this.#visited.delete(oldest);
  }

  #note(streamId: string, event: Omit<TimelineEvent, 'at'>): void {
    const record = this.#answers.get(streamId) ?? this.#visited.get(streamId);
    record?.timeline.add({ at: Date.now(), ...event });
  }

  #sample(): void {
    const now = Date.now();
    const added = this.#answers.sample(now, this.#options.bytesOf) + this.#unsampledBytes;
    this.#unsampledBytes = 0;
    this.#bytesPerSecond = Math.round((added * 1_000) / Math.max(1, now - this.#sampledAt));
    this.#sampledAt = now;
  }
}

/**
 * Returns the timeline event of a read. Catch-up and long-poll reads are short, so only their beginning is recorded.
 */
function readEvent(mode: string, begun: boolean): Omit<TimelineEvent, 'at'> | undefined {
  if (mode === 'sse') return { type: begun ? 'reader-joined' : 'reader-left' };
  return begun ? { type: 'read', detail: mode } : undefined;
}

function short(text: string): string {
  return text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)}…` : text;
}
