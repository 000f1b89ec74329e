import { safeEmitter, type OnEvent } from '../shared/events.ts';
import { callGuarded, type Logger } from '../shared/logger.ts';
import type { Telemetry } from './types.ts';

/** Observes a proxy within its process. The inspector implements it. */
export interface Observer {
  onEvent(event: Parameters<OnEvent>[0]): void;
  /** Called with the milliseconds of each append to the store. */
  onAppend(ms: number): void;
  /** Called with a message of the observer in another process. */
  onMessage(message: string): void;
  /** Called once the store is open. */
  onOpen(): void;
  /** Releases all resources. Called while the store is still open. */
  close(): Promise<void>;
}

export interface ObserversOptions {
  readonly onEvent?: OnEvent | undefined;
  readonly onAppend?: ((ms: number) => void) | undefined;
  readonly telemetry?: Telemetry | undefined;
  readonly logger: Logger;
}

/** Distributes the events and appends of a proxy to the listeners of its options, and to an observer. */
export class Observers {
  /** Emits an event. Never throws. */
  readonly emit: OnEvent;
  readonly #options: ObserversOptions;
  #observer: Observer | undefined;
  #isOpen = false;

  constructor(options: ObserversOptions) {
    this.#options = options;
    const { onEvent, telemetry, logger } = options;
    this.emit = safeEmitter((event) => {
      telemetry?.onEvent(event);
      this.#observer?.onEvent(event);
      return onEvent?.(event);
    }, logger);
  }

  /**
   * Returns the function to call with the milliseconds of each append, or undefined if no observer needs it. The function
   * never throws.
   */
  get onAppend(): ((ms: number) => void) | undefined {
    const { onAppend, telemetry, logger } = this.#options;
    const observer = this.#observer;
    if (!telemetry && !observer && !onAppend) return undefined;
    const onError = (err: unknown): void => logger.error({ err }, 'onAppend threw');
    return (ms) =>
      callGuarded(() => {
        telemetry?.onAppend(ms);
        observer?.onAppend(ms);
        onAppend?.(ms);
      }, onError);
  }

  /** Attaches an observer, unless there is one already. Returns the attached observer. */
  attach<T extends Observer>(create: () => T): T {
    if (!this.#observer) {
      this.#observer = create();
      if (this.#isOpen) this.#observer.onOpen();
    }
    return this.#observer as T;
  }

  onMessage(message: string): void {
    this.#observer?.onMessage(message);
  }

  opened(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#observer?.onOpen();
  }

  async close(): Promise<void> {
    await this.#observer?.close();
  }
}
