import { pause } from './backoff.ts';
import { SilenceError, StrayReplyError, type Argument, type Connection, type Reply } from './connection.ts';
import { Deadlines } from './deadlines.ts';
import { isPassing, isStray, replyCode, unavailable } from './failures.ts';
import type { Script } from './script.ts';

export interface RunOptions {
  /** Called before a command is repeated that Redis may have carried out already. */
  readonly onRepeat?: () => void;
  /** True for a write to a running stream: it may take `appendTimeoutMs`. */
  readonly isWrite?: boolean;
}

/** Milliseconds after which an operation fails if Redis has not replied. */
export interface Limits {
  readonly requestTimeoutMs: number;
  readonly appendTimeoutMs: number;
}

interface Command<T> {
  readonly key: string;
  readonly first: readonly Argument[];
  /** Sent instead if Redis does not know the script. */
  readonly whenUnknown: readonly Argument[];
  /** Returns the result, or undefined if the reply belongs to another command. */
  readonly accept: (reply: Reply) => T | undefined;
}

/**
 * Sends commands with bounded retries. If a connection breaks, it is unknown whether the command was carried out. A
 * command may therefore run twice, and its script detects the repetition.
 */
export class Requests {
  readonly #connection: Connection;
  readonly #deadlines: Deadlines;
  readonly #writeDeadlines: Deadlines;
  #token = 0;

  constructor(connection: Connection, limits: Limits) {
    this.#connection = connection;
    const onStall = () => void connection.recover(new SilenceError('Redis does not answer'));
    this.#deadlines = new Deadlines(onStall, limits.requestTimeoutMs);
    this.#writeDeadlines = new Deadlines(onStall, limits.appendTimeoutMs);
  }

  /**
   * Runs a script by its digest, or by its text if Redis does not know it yet.
   * @param keys keys of one slot.
   */
  async run(
    script: Script,
    keys: readonly [string, ...string[]],
    args: readonly Argument[],
    options?: RunOptions,
  ): Promise<readonly Reply[]> {
    const token = String((this.#token += 1));
    const tail = [String(keys.length), ...keys, token, ...args];
    return this.#send(
      {
        key: keys[0],
        first: ['EVALSHA', script.sha, ...tail],
        whenUnknown: ['EVAL', script.text, ...tail],
        accept: (reply) => {
          const [mark, ...rest] = (Array.isArray(reply) ? reply : []) as readonly Reply[];
          return String(mark) === token ? rest : undefined;
        },
      },
      options,
    );
  }

  /**
   * Sends a command that changes nothing.
   * @param accept returns the result, or undefined if the reply belongs to another command.
   */
  async ask<T>(key: string, args: readonly Argument[], accept: (reply: Reply) => T | undefined): Promise<T> {
    return this.#send({ key, first: args, whenUnknown: args, accept });
  }

  /** Rejects all pending commands. */
  end(error: Error): void {
    this.#deadlines.end(error);
    this.#writeDeadlines.end(error);
  }

  async #send<T>({ key, first, whenUnknown, accept }: Command<T>, options?: RunOptions): Promise<T> {
    const deadline = (options?.isWrite ? this.#writeDeadlines : this.#deadlines).next();
    let args = first;
    for (let attempt = 0; ; attempt += 1) {
      try {
        const reply = await deadline.race(this.#connection.send(key, args, deadline.signal));
        const result = accept(reply);
        if (result !== undefined) return result;
        throw new StrayReplyError('a reply to another command');
      } catch (cause) {
        const error = isStray(cause)
          ? new StrayReplyError(`a reply to another command: ${cause.message}`)
          : cause;
        if (replyCode(error) === 'NOSCRIPT' && args !== whenUnknown) {
          args = whenUnknown;
          continue;
        }
        if (deadline.signal.aborted || !isPassing(error)) throw unavailable(error);
        options?.onRepeat?.();
        try {
          await deadline.race(
            Promise.all([this.#connection.recover(error), pause(attempt, deadline.signal)]),
          );
        } catch {
          throw unavailable(error);
        }
      }
    }
  }
}
