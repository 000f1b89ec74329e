/** True if the browser says that there is no network. Without such a word, as in Node, false. */
export function isOffline(): boolean {
  return (globalThis as { navigator?: { onLine?: boolean } }).navigator?.onLine === false;
}

/** What tells that the network or the page came back. */
const EVENTS = ['online', 'pageshow', 'visibilitychange'] as const;

/**
 * Calls back when the network or the page comes back, which is when a dead connection is worth a look and a
 * waiting attempt is worth making at once. Gives what ends it. Does nothing where there are no such events.
 */
export function onWake(wake: () => void): () => void {
  const { addEventListener, document } = globalThis as unknown as Partial<Window>;
  const controller = new AbortController();
  const listener = ({ type }: Event) => {
    if (type !== 'visibilitychange' || document?.visibilityState === 'visible') wake();
  };
  // By capture, `visibilitychange` passes the window on its way to the document.
  const options = { capture: true, signal: controller.signal };
  for (const type of EVENTS) addEventListener?.call(globalThis, type, listener, options);
  return () => controller.abort();
}
