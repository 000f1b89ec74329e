import type { AnswerRow, ProcessFrame, ProcessSummary } from './types.ts';

/** State of one process, assembled from its frames. */
export class ProcessState {
  readonly id: string;
  /** Rows by their number, oldest first. */
  readonly rows = new Map<number, AnswerRow>();
  summary: ProcessSummary | undefined;
  elsewhere: ProcessFrame['elsewhere'] = {};
  timelines: NonNullable<ProcessFrame['timelines']> = {};

  constructor(id: string) {
    this.id = id;
  }

  /** Applies a frame. Frames contain absolute values, so applying one again changes nothing. */
  apply(frame: ProcessFrame): void {
    if (frame.isFull) this.rows.clear();
    this.summary = frame.summary;
    this.elsewhere = frame.elsewhere;
    this.timelines = frame.timelines ?? this.timelines;
    for (const row of frame.rows) this.rows.set(row.n, row);
    for (const [n, bytes, readers] of frame.ticks) {
      const row = this.rows.get(n);
      if (row) this.rows.set(n, { ...row, bytes, readers });
    }
    for (const n of frame.gone) this.rows.delete(n);
  }

  /** Returns one frame that contains everything. Undefined before the first frame. */
  get whole(): ProcessFrame | undefined {
    return (
      this.summary && {
        process: this.id,
        isFull: true,
        summary: this.summary,
        rows: [...this.rows.values()],
        ticks: [],
        gone: [],
        elsewhere: this.elsewhere,
      }
    );
  }
}
