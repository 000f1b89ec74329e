/** A value, or a promise of it: callbacks of the options may be synchronous or asynchronous. */
export type MaybePromise<T> = T | Promise<T>;
