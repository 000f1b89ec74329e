/** Milliseconds for which a hidden page keeps its connections. Switching between tabs for a moment costs nothing. */
const HIDDEN_MS = 5_000;

/**
 * Runs a function while the page is visible, and for 5 seconds after it was hidden. Without pages, as in React Native, runs
 * it at once.
 * @param run the function to run. Its signal aborts when the page has been hidden for long enough.
 * @returns a function that ends this.
 */
export function whileVisible(run: (signal: AbortSignal) => void): () => void {
  const { document } = globalThis as Partial<typeof globalThis>;
  const listening = new AbortController();
  let current: AbortController | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const end = () => {
    clearTimeout(timer);
    current?.abort();
    current = undefined;
  };
  const check = () => {
    clearTimeout(timer);
    if (document?.visibilityState === 'hidden') timer = setTimeout(end, HIDDEN_MS);
    else if (!current) run((current = new AbortController()).signal);
  };
  const { signal } = listening;
  document?.addEventListener('visibilitychange', check, { signal });
  if (document) {
    // A page with an open connection cannot enter the back/forward cache.
    globalThis.addEventListener('pagehide', end, { signal });
    globalThis.addEventListener('pageshow', check, { signal });
  }
  check();
  return () => {
    listening.abort();
    end();
  };
}
