import { setMaxListeners } from 'node:events';

/** Milliseconds without a reply after which the connection is checked, repeatedly. */
const STALL_MS = 2_000;
/** Milliseconds. Operations that begin within this time share their timers and their signal. */
const SHARE_MS = 500;

export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
}

/** The time limit of operations that began at about the same time. */
export class Deadline {
  readonly #controller = new AbortController();
  readonly #pending = new Set<(error: Error) => void>();
  readonly #limit: NodeJS.Timeout;
  readonly #stall: NodeJS.Timeout;

  constructor(onStall: () => void, limitMs: number) {
    // Each command that waits to be sent has a listener.
    setMaxListeners(0, this.#controller.signal);
    const limit = new DeadlineError(`no answer within ${limitMs / 1_000} s`);
    this.#limit = setTimeout(() => this.end(limit), limitMs).unref();
    this.#stall = setInterval(() => this.#pending.size > 0 && onStall(), STALL_MS).unref();
  }

  /** Aborts when the time is over: commands that have not been sent by then are never sent. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Returns the promise's result, or rejects when the time is over. */
  race<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#pending.add(reject);
      promise.then(
        (value) => {
          this.#pending.delete(reject);
          resolve(value);
        },
        (error: unknown) => {
          this.#pending.delete(reject);
          // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- passed through unchanged
          reject(error);
        },
      );
    });
  }

  end(error: Error): void {
    clearTimeout(this.#limit);
    clearInterval(this.#stall);
    this.#controller.abort(error);
    for (const reject of this.#pending) reject(error);
    this.#pending.clear();
  }
}

/** Creates deadlines without a timer for each operation. */
export class Deadlines {
  readonly #onStall: () => void;
  readonly #limitMs: number;
  readonly #live = new Set<Deadline>();
  #current: { readonly deadline: Deadline; readonly until: number } | undefined;

  /** @param limitMs milliseconds after which an operation fails if Redis has not replied. */
  constructor(onStall: () => void, limitMs: number) {
    this.#onStall = onStall;
    this.#limitMs = limitMs;
  }

  next(): Deadline {
    const now = performance.now();
    if (!this.#current || this.#current.until < now) {
      const deadline = new Deadline(this.#onStall, this.#limitMs);
      this.#live.add(deadline);
      deadline.signal.addEventListener('abort', () => this.#live.delete(deadline), { once: true });
      this.#current = { deadline, until: now + SHARE_MS };
    }
    return this.#current.deadline;
  }

  /** Ends all deadlines now. */
  end(error: Error): void {
    for (const deadline of [...this.#live]) deadline.end(error);
    this.#current = undefined;
  }
}
