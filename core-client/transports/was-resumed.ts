/** From the registry of symbols, so that the ESM and the CJS build of this package know each other's streams. */
const WAS_RESUMED = Symbol.for('durable-proxy.wasResumed');

/** Notes on a stream (or iterable) whether it takes up an answer that an earlier call began. */
export function markResumed<T extends object>(stream: T, resumed: boolean): T {
  return Object.defineProperty(stream, WAS_RESUMED, { value: resumed, configurable: true });
}

/**
 * Whether what `sendMessages` or `reconnectToStream` gave takes up an answer that an earlier call, page or
 * tab began. False for anything else.
 * @param stream what `sendMessages` or `reconnectToStream` returned.
 */
export function wasResumed(stream: object | null | undefined): boolean {
  return stream != null && Reflect.get(stream, WAS_RESUMED) === true;
}
