import type { MaybePromise } from './types.ts';

/** By the key of an item, the last operation that is in progress. */
export type Pending = Map<string, Promise<unknown>>;

export function isPromise<T>(value: MaybePromise<T>): value is Promise<T> {
  return value instanceof Object && 'then' in value;
}

/** Calls `next` with the value: at once, unless it is a promise. */
export function chain<T, R>(value: MaybePromise<T>, next: (value: T) => MaybePromise<R>): MaybePromise<R> {
  return isPromise(value) ? value.then(next) : next(value);
}

/**
 * Runs the operations on a stored item one after the other: an operation of several steps must not mix with another one.
 * Runs at once if none is in progress, so that an operation on a synchronous storage survives an immediate close of the page.
 */
export function inOrder<T>(pending: Pending, key: string, run: () => MaybePromise<T>): MaybePromise<T> {
  const result = chain(pending.get(key), run);
  if (isPromise(result)) {
    const clear = () => void (pending.get(key) === done && pending.delete(key));
    const done: Promise<void> = result.then(clear, clear);
    pending.set(key, done);
  }
  return result;
}
