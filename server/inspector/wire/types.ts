import type { ErrorCode } from '../../../protocol/errors.ts';
import type { Outcome } from '../../../protocol/outcomes.ts';
import type { Usage } from '../../../protocol/usage.ts';
import type { Buckets } from './buckets.ts';

/** Maximum number of answers that are kept of one process. */
export const MAX_ANSWERS = 1_000;

/** Header of each request that changes something. A page of another origin cannot send it without a CORS preflight. */
export const ACTION_HEADER = 'X-Durable-Inspector';

/** One answer of a process, as the table shows it. Times are Unix times in milliseconds of the process. */
export interface AnswerRow {
  /** Number of the answer, unique in its process. */
  readonly n: number;
  /** Id of the stream. */
  readonly id: string;
  readonly startedAt: number;
  readonly subject?: string;
  readonly streamKey?: string;
  readonly idempotencyKey?: string;
  /** Origin and path of the upstream URL. Unknown if another process created the stream. */
  readonly upstream?: string;
  /** Absent while the answer is running. */
  readonly outcome?: Outcome;
  readonly endedAt?: number;
  readonly bytes: number;
  /** Reads in progress in this process. */
  readonly readers: number;
  readonly recoveries: number;
  /** Milliseconds from the request to the upstream to the first byte of the body. */
  readonly firstTokenMs?: number;
  readonly usage?: Usage;
  /** True if another process created the stream, and this one continued it. */
  readonly isAdopted?: true;
}

/** The fields of a row that change often. */
export type RowTick = readonly [n: number, bytes: number, readers: number];

/** Counts of one minute. */
export interface MinuteCounts {
  /** Unix time in minutes. */
  readonly minute: number;
  readonly closed: Readonly<Partial<Record<Outcome, number>>>;
}

/** Totals of a process in the last hour. */
export interface HourCounts {
  /** Minutes in which at least one answer was closed, oldest first. */
  readonly minutes: readonly MinuteCounts[];
  readonly refused: Readonly<Partial<Record<ErrorCode, number>>>;
  /** Milliseconds from the request to the upstream to the first byte. */
  readonly firstToken: Buckets;
  /** Milliseconds that appends to the store took. */
  readonly append: Buckets;
}

/** The store of a process. */
export interface StoreSummary {
  readonly kind: string;
  /** Bytes that the store occupies, if it reports them. */
  readonly bytes?: number;
}

/** State of one process. */
export interface ProcessSummary {
  readonly host: string;
  readonly pid: number;
  readonly startedAt: number;
  /** Answers in progress, including those that are not in the table. */
  readonly running: number;
  readonly readers: number;
  readonly bytesPerSecond: number;
  readonly isDraining: boolean;
  readonly store: StoreSummary;
  readonly hour: HourCounts;
}

/** State of a process: everything, or the changes since its last frame. */
export interface ProcessFrame {
  /** Id of the process. */
  readonly process: string;
  /** True if the frame replaces all frames before it. */
  readonly isFull?: true;
  readonly summary: ProcessSummary;
  /** New and changed rows. */
  readonly rows: readonly AnswerRow[];
  readonly ticks: readonly RowTick[];
  /** Numbers of rows that are no longer kept. */
  readonly gone: readonly number[];
  /** Reads of streams that another process runs, by stream id. */
  readonly elsewhere: Readonly<Record<string, number>>;
  /** Timelines that a page requested, by stream id. */
  readonly timelines?: Readonly<Record<string, Timeline>>;
}

/** One event in the life of an answer. */
export interface TimelineEvent {
  /** Unix time in milliseconds. */
  readonly at: number;
  readonly type:
    | 'created'
    | 'first-byte'
    | 'reader-joined'
    | 'reader-left'
    | 'read'
    | 'replayed'
    | 'recovered'
    | 'stopped'
    | 'ended';
  /** One short line, such as the outcome. */
  readonly detail?: string;
}

/** The events and sizes of one answer that a process has recorded. */
export interface Timeline {
  readonly events: readonly TimelineEvent[];
  /** Number of events that were dropped because there were too many. */
  readonly omitted: number;
  /** Total bytes at the end of each step since `startedAt`. Absent if the process only has readers of the answer. */
  readonly bytes?: {
    readonly startedAt: number;
    readonly stepMs: number;
    readonly totals: readonly number[];
  };
}

/** Whether a process is known to be alive. */
export interface Peer {
  readonly id: string;
  /** `live`: it reports. `silent`: its lease is valid, but it does not report. `expired`: its lease has expired. */
  readonly state: 'live' | 'silent' | 'expired';
}

/** One message to the page, and the response of `api/snapshot`. */
export interface InspectorMessage {
  /** Unix time in milliseconds of the process that sends the message. */
  readonly at: number;
  /** Id of the process that sends the message. */
  readonly self: string;
  readonly peers: readonly Peer[];
  readonly frames: readonly ProcessFrame[];
}

/** Response of `api/answers/{id}`. */
export interface AnswerDetails {
  readonly id: string;
  /** False if the stream was deleted or has expired. */
  readonly exists: boolean;
  /** Status and headers of the upstream's response, without credentials. */
  readonly head?: { readonly status: number; readonly headers: readonly (readonly [string, string])[] };
  readonly contentType?: string;
  readonly ttlSeconds?: number;
  /** Id of the process that runs or ran the answer. */
  readonly owner?: string;
  /** Timelines of the answer by process id. */
  readonly timelines: Readonly<Record<string, Timeline>>;
}
