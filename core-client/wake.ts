import type { WakeSource } from './types.ts';

/** Returns true if the browser reports that there is no network; false if it does not report that, as in Node. */
export function isOffline(): boolean {
  return (globalThis as { navigator?: { onLine?: boolean } }).navigator?.onLine === false;
}

/** Events of a page that report that the network or the page came back. */
const EVENTS = ['online', 'pageshow', 'visibilitychange'];

/**
 * Calls `wake` when the network or the page comes back: at each of these events of a page, and at each event of `source`.
 * @param source the option `wake` of the app.
 * @returns a function that ends the subscription.
 */
export function onWake(wake: () => void, source?: WakeSource): () => void {
  const page = globalThis as unknown as Partial<Window>;
  const controller = new AbortController();
  const listener = ({ type }: Event) => {
    if (type !== 'visibilitychange' || page.document?.visibilityState === 'visible') wake();
  };
  // `visibilitychange` is dispatched at the document. The window receives it in the capture phase.
  const options = { capture: true, signal: controller.signal };
  for (const type of EVENTS) page.addEventListener?.(type, listener, options);
  const unsubscribe = source?.(wake);
  return () => {
    controller.abort();
    unsubscribe?.();
  };
}
