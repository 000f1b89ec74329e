/**
 * Calls a reader's `onReadable`. An exception in it is reported as a process warning: it must reach neither the
 * other readers of the stream nor the code that appended, and it must not end the process.
 */
export function notifyReader(onReadable: () => void): void {
  try {
    onReadable();
  } catch (error) {
    process.emitWarning(error instanceof Error ? error : new Error(String(error)));
  }
}
