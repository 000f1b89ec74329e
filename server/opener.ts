import { ConfigurationError } from './shared/errors.ts';
import type { Logger } from './shared/logger.ts';
import { inTime } from './store/bounded.ts';
import { StoreError } from './store/types.ts';

/** Milliseconds between two attempts to open the store: doubled each time, up to the second number. */
const RETRY_MS = [250, 2_000] as const;

/** Milliseconds after which the first attempt counts as failed. The attempt continues: attempts do not overlap. */
const FIRST_MS = 10_000;

export interface OpenerOptions {
  /** Opens the store. Called again after it rejected. */
  readonly open: () => Promise<void>;
  readonly logger: Logger;
  /**
   * If false, there is one attempt, and its failure is not logged: the caller of `first` reports it.
   * @default true
   */
  readonly retries?: boolean;
}

/**
 * Opens the store and, unless `retries` is false, keeps trying while it fails, for example while another process holds
 * the data directory.
 * Logs the first failure and the success after it, not each attempt.
 */
export class Opener {
  /** Settles with the result of the first attempt, after 10 s at the latest. */
  readonly first: Promise<void>;
  readonly #options: OpenerOptions;
  readonly #waiting = new Set<(error?: unknown) => void>();
  #attempt: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #failure: unknown;
  #isOpen = false;
  /** True if no further attempt will be made. */
  #isOver = false;

  constructor(options: OpenerOptions) {
    this.#options = options;
    this.first = inTime(this.#try(RETRY_MS[0]), FIRST_MS);
    this.first.catch(() => undefined);
  }

  /** True once the store is open. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * Resolves when the store is open.
   * @param ms longest wait in milliseconds.
   * @throws StoreError `UNAVAILABLE`, with the failure of the latest attempt as its cause; ConfigurationError if no
   * further attempt can succeed.
   */
  async wait(ms: number): Promise<void> {
    if (this.#isOpen) return;
    if (this.#isOver) throw this.#error();
    let timer: NodeJS.Timeout | undefined;
    let settle!: (error?: unknown) => void;
    try {
      await new Promise<void>((resolve, reject) => {
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- an error of the store, as it is
        settle = (error) => (error === undefined ? resolve() : reject(error));
        this.#waiting.add(settle);
        timer = setTimeout(() => settle(this.#error()), ms);
      });
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(settle);
    }
  }

  /** Stops further attempts. Resolves when the current attempt has ended, with true if the store is open. */
  async stop(): Promise<boolean> {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#settleAll(this.#error());
    await this.#attempt.catch(() => undefined);
    return this.#isOpen;
  }

  #try(retryMs: number): Promise<void> {
    this.#attempt = this.#run(retryMs);
    return this.#attempt;
  }

  async #run(retryMs: number): Promise<void> {
    const { open, logger, retries = true } = this.#options;
    try {
      await open();
    } catch (error) {
      const isFirst = this.#failure === undefined;
      this.#failure = error;
      this.#isOver ||= !retries || error instanceof ConfigurationError;
      if (isFirst && retries) logger.error({ err: error }, this.#isOver ? FAILED : `${FAILED}; retrying`);
      if (this.#isOver) {
        this.#settleAll(this.#error());
      } else {
        const next = Math.min(retryMs * 2, RETRY_MS[1]);
        this.#timer = setTimeout(() => void this.#try(next).catch(() => undefined), retryMs).unref();
      }
      throw error;
    }
    this.#isOpen = true;
    if (this.#failure !== undefined) logger.warn({}, 'the stream store is open');
    this.#settleAll();
  }

  #settleAll(error?: unknown): void {
    for (const settle of this.#waiting) settle(error);
  }

  #error(): unknown {
    if (this.#failure instanceof ConfigurationError) return this.#failure;
    return new StoreError('UNAVAILABLE', 'The store is not open yet', { cause: this.#failure });
  }
}

const FAILED = 'the stream store could not be opened';
