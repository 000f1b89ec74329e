/** The part of pino's interface that we use: an object of fields first, then a sentence. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

const nothing = (): void => undefined;

export const silentLogger: Logger = Object.freeze({
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
});

/** The same fault is printed once in this many milliseconds. */
const REPEAT_MS = 60_000;
/** Faults that are remembered; beyond that the oldest is forgotten. */
const MAX_REMEMBERED = 100;
/** Errors of an upstream or of a shutdown are not faults of the operator's code or store. */
const NOT_A_FAULT = /^(?:UPSTREAM_|SHUTTING_DOWN)/;

/**
 * Creates the logger of a proxy without one: prints errors, and nothing else, as text. The same fault (message and
 * error) is printed once a minute, with the number of times that it was left out.
 * @param print default `console.error`.
 * @param now milliseconds; default `performance.now`.
 */
export function faultLogger(
  // eslint-disable-next-line no-console -- a fault that nobody listens for must be visible somewhere
  print: (text: string) => void = (text) => console.error(text),
  now: () => number = () => performance.now(),
): Logger {
  const seen = new Map<string, { printedAt: number; skipped: number }>();
  return Object.freeze({
    ...silentLogger,
    error(fields: object, message: string) {
      const { err, code } = fields as { err?: unknown; code?: unknown };
      if (typeof code === 'string' && NOT_A_FAULT.test(code)) return;
      const key = `${message}\n${String(err)}`;
      const last = seen.get(key);
      if (last && now() - last.printedAt < REPEAT_MS) {
        last.skipped += 1;
        return;
      }
      seen.delete(key);
      seen.set(key, { printedAt: now(), skipped: 0 });
      if (seen.size > MAX_REMEMBERED) seen.delete(seen.keys().next().value ?? '');
      const repeated = last && last.skipped > 0 ? ` (and ${last.skipped} times more)` : '';
      const detail = err instanceof Error ? `\n${err.stack ?? String(err)}` : '';
      print(`durable-proxy: ${message}${repeated}${detail}`);
    },
  });
}
