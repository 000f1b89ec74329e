/** Globals that every current browser, Node, Deno and Bun have. React Native lacks some of them. */
const FUNCTIONS = [
  ...['AbortController', 'DOMException', 'Headers', 'ReadableStream', 'Request', 'Response'],
  ...['TextDecoder', 'TextEncoder', 'URL', 'atob'],
];

/**
 * Checks that the environment has what the client needs.
 * @throws TypeError that names all that is missing.
 */
export function checkEnvironment(): void {
  const globals = globalThis as unknown as Readonly<Record<string, unknown>>;
  const missing = FUNCTIONS.filter((name) => typeof globals[name] !== 'function');
  if (typeof (globals['crypto'] as Crypto | undefined)?.getRandomValues !== 'function')
    missing.push('crypto.getRandomValues');
  // React Native's own Response takes a stream for text.
  else if (missing.length === 0 && !new Response(new ReadableStream()).body?.getReader)
    missing.push('Response with a stream as its body');
  if (missing.length === 0) return;
  throw new TypeError(
    `durable-proxy needs ${missing.join(', ')}. Load polyfills before the app: see docs/react-native.md`,
  );
}
