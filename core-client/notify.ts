/**
 * Calls a listener of the app. An exception in it is reported asynchronously, as with DOM event listeners, and does not
 * affect the call.
 */
export function notify<T>(listener: ((value: T) => void) | undefined, value: T): void {
  try {
    listener?.(value);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
