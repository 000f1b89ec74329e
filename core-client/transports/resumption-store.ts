import { IDLE } from '../state.ts';
import type { Resumption } from '../types.ts';

/** A source for `useSyncExternalStore`. Its snapshot is the same object until the state changes. */
export interface ResumptionSource {
  /**
   * Calls `listener` after each change. Returns a function that ends this.
   * @param listener function without arguments.
   */
  readonly subscribe: (listener: () => void) => () => void;
  /** Returns the current state of the connection. */
  readonly getSnapshot: () => Resumption;
}

/** Holds the resumption of the current call. */
export class ResumptionStore implements ResumptionSource {
  #snapshot: Resumption = IDLE;
  readonly #listeners = new Set<() => void>();

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly getSnapshot = (): Resumption => this.#snapshot;

  set(resumption: Resumption): void {
    if (resumption === this.#snapshot) return;
    this.#snapshot = resumption;
    for (const listener of [...this.#listeners]) listener();
  }
}
