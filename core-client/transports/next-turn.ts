/**
 * Resolves in the next turn of the event loop, after pending input and rendering had a chance to run. Uses a
 * message, because browsers delay a chain of timers by 4 ms each, and by a second in a hidden tab (HTML
 * standard, section 8.6).
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
