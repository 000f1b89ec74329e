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
 * | canceled attempt | starts an attempt when it has ended | starts the announced one | – |
 * | chat is busy | keeps the announced one | starts the announced one | – |
 *
 * A turn that another tab announces during an attempt or an answer is kept and resumed afterwards: the attempt may have
 * looked just before the turn began.
 */
export class ResumeQueue {
  readonly #options: ResumeQueueOptions;
  #attempt: Promise<ResumeResult> | undefined;
  /** Cancels the newest attempt. */
  #abort: AbortController | undefined;
  #announced: Announced | undefined;

  constructor(options: ResumeQueueOptions) {
    this.#options = options;
  }

  /**
   * Starts an attempt, or joins the one in progress. A canceled attempt ends first.
   * @param announced the turn that another tab announced.
   * @returns the result of the attempt, `nothing` while the chat shows another answer.
   */
  resume(announced?: Announced): Promise<ResumeResult> {
    const canceled = this.#abort?.signal.aborted ? this.#attempt : undefined;
    if (!canceled && (this.#attempt || this.#options.isBusy())) {
      this.#announced = announced ?? this.#announced;
      return this.#attempt ?? Promise.resolve('nothing');
    }
    this.#abort = new AbortController();
    const attempt = this.#run(announced, this.#abort.signal, canceled).finally(() => {
      if (this.#attempt !== attempt) return;
      this.#attempt = undefined;
      this.next();
    });
    this.#attempt = attempt;
    return attempt;
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

  async #run(
    announced: Announced | undefined,
    signal: AbortSignal,
    canceled: Promise<ResumeResult> | undefined,
  ): Promise<ResumeResult> {
    if (canceled) await canceled.catch(() => undefined);
    if (signal.aborted) return 'unknown';
    if (!this.#options.isBusy()) return this.#options.attach(announced, signal);
    this.#announced = announced ?? this.#announced;
    return 'nothing';
  }
}
