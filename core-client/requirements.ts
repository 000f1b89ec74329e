/** Globals that every current browser, Node, Deno and Bun have. React Native lacks some of them. */
const GLOBALS = [
  ...['AbortController', 'DOMException', 'Headers', 'ReadableStream', 'Request', 'Response'],
  ...['TextDecoder', 'TextEncoder', 'URL', 'atob', 'crypto'],
];

/**
 * Checks that the environment has what the client needs.
 * @throws TypeError that names all that is missing.
 */
export function checkEnvironment(): void {
  const missing = GLOBALS.filter((name) => !(globalThis as Record<string, unknown>)[name]);
  // React Native's own Response treats a stream as text.
  if (!missing[0] && !new Response(new ReadableStream()).body?.getReader)
    missing.push('Response with a stream as its body');
  if (missing[0])
    throw new TypeError(
      `durable-proxy needs ${missing.join(', ')}. Load polyfills before the app: see docs/react-native.md`,
    );
}
