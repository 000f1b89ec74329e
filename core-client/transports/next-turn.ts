/**
 * Resolves in the next turn of the event loop, so that pending input and rendering can run first. Uses a message,
 * because browsers delay each timer of a chain by 4 ms, and by one second in a hidden tab (HTML standard,
 * section 8.6).
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof MessageChannel === 'undefined') {
      setTimeout(resolve);
      return;
    }
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}
