import type { Turn } from '../core-client/transports/turns.ts';

/** A turn that another tab announced, or a turn of another device, for which only the stream is known. */
export interface Announced extends Turn {
  readonly isRemote?: true;
}

/** Result of an attempt to resume. `unknown`: the proxy did not respond, or the attempt was canceled. */
export type ResumeResult = 'resumed' | 'nothing' | 'unknown';

export interface ResumeQueueOptions {
  /** Looks for an answer and shows it. Resolves when the answer ends, soon after `signal` has aborted. */
  readonly attach: (announced: Announced | undefined, signal: AbortSignal) => Promise<ResumeResult>;
  /** Returns true while the chat shows an answer that no attempt of this queue resumed. */
  readonly isBusy: () => boolean;
  /** Called with the announced turn when it can be resumed. */
  readonly onNext: (turn: Announced) => void;
}

/**
 * Runs one attempt to resume at a time:
 *
 * | | `resume` | answer ends | `cancel` |
 * |---|---|---|---|
 * | idle | starts an attempt | starts the announced one | – |
 * | attempt | joins it, keeps the announced one | starts the announced one | aborts it |
 * | chat is busy | keeps the announced one | starts the announced one | – |
 *
 * A turn that another tab announces during an attempt or an answer is kept and resumed afterwards: the attempt may have
 * looked just before the turn began.
 */
export class ResumeQueue {
  readonly #options: ResumeQueueOptions;
  #attempt: Promise<ResumeResult> | undefined;
  /** Cancels the attempt. */
  #abort: AbortController | undefined;
  #announced: Announced | undefined;

  constructor(options: ResumeQueueOptions) {
    this.#options = options;
  }

  /**
   * Starts an attempt, or joins the one in progress.
   * @param announced the turn that another tab announced.
   * @returns the result of the attempt, `nothing` while the chat shows another answer.
   */
  resume(announced?: Announced): Promise<ResumeResult> {
    if (this.#attempt || this.#options.isBusy()) {
      this.#announced = announced ?? this.#announced;
      return this.#attempt ?? Promise.resolve('nothing');
    }
    this.#abort = new AbortController();
    this.#attempt = this.#options.attach(announced, this.#abort.signal).finally(() => {
      this.#attempt = undefined;
      this.next();
    });
    return this.#attempt;
  }

  /** Resumes the turn that was announced in the meantime, if there is one. Called when an answer ends. */
  next(): void {
    const announced = this.#announced;
    this.#announced = undefined;
    if (announced) this.#options.onNext(announced);
  }

  /** Cancels the attempt in progress, if there is one. This ends reading its answer, not the answer. */
  cancel(): void {
    this.#abort?.abort();
  }

  /** Drops the announced turn. */
  clear(): void {
    this.#announced = undefined;
  }
}
