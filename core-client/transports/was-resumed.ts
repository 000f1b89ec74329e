/** A registered symbol, so that the ESM and the CJS build of this package recognize each other's streams. */
const WAS_RESUMED = Symbol.for('durable-proxy.wasResumed');

/** Marks whether a stream (or iterable) resumes an answer that an earlier call started. */
export function markResumed<T extends object>(stream: T, resumed: boolean): T {
  return Object.defineProperty(stream, WAS_RESUMED, { value: resumed, configurable: true });
}

/**
 * Returns true if the stream resumes an answer that an earlier call, page or tab started. Returns false for anything
 * else.
 * @param stream a return value of `sendMessages` or `reconnectToStream`.
 */
export function wasResumed(stream: object | null | undefined): boolean {
  return stream != null && Reflect.get(stream, WAS_RESUMED) === true;
}
