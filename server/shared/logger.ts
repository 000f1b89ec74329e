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
/** Most warnings that are printed in `REPEAT_MS`: their text depends on what callers send. */
const MAX_WARNINGS = 20;
/** Errors of an upstream or of a shutdown are not faults of the operator's code or store. */
const NOT_A_FAULT = /^(?:UPSTREAM_|SHUTTING_DOWN)/;
/** Refused for a reason that only the operator's configuration can change, and that the response does not tell. */
const WORTH_A_WARNING = 'UPSTREAM_NOT_ALLOWED';

/**
 * Creates the logger of a proxy without one: prints errors and refused upstream URLs, and nothing else, as text. The
 * same fault (message and error) is printed once a minute, with the number of times that it was left out.
 * @param print default `console.error`.
 * @param now milliseconds; default `performance.now`.
 */
export function faultLogger(
  // eslint-disable-next-line no-console -- a fault that nobody listens for must be visible somewhere
  print: (text: string) => void = (text) => console.error(text),
  now: () => number = () => performance.now(),
): Logger {
  const seen = new Map<string, { printedAt: number; skipped: number }>();
  let warnedAt: number[] = [];
  /** Returns true if it was printed now. */
  const printOnce = (message: string, err?: unknown): boolean => {
    const key = `${message}\n${String(err)}`;
    const last = seen.get(key);
    if (last && now() - last.printedAt < REPEAT_MS) {
      last.skipped += 1;
      return false;
    }
    seen.delete(key);
    seen.set(key, { printedAt: now(), skipped: 0 });
    if (seen.size > MAX_REMEMBERED) seen.delete(seen.keys().next().value ?? '');
    const repeated = last && last.skipped > 0 ? ` (and ${last.skipped} times more)` : '';
    const detail = err instanceof Error ? `\n${err.stack ?? String(err)}` : '';
    print(`durable-proxy: ${message}${repeated}${detail}`);
    return true;
  };
  return Object.freeze({
    ...silentLogger,
    warn(fields: object, message: string) {
      if ((fields as { code?: unknown }).code !== WORTH_A_WARNING) return;
      warnedAt = warnedAt.filter((at) => now() - at < REPEAT_MS);
      if (warnedAt.length >= MAX_WARNINGS) return;
      if (printOnce(message)) warnedAt.push(now());
    },
    error(fields: object, message: string) {
      const { err, code } = fields as { err?: unknown; code?: unknown };
      if (typeof code === 'string' && NOT_A_FAULT.test(code)) return;
      printOnce(message, err);
    },
  });
}

/**
 * Wraps a logger so that an exception or a rejected promise in it changes nothing: it is reported to `fallback`.
 * @param fallback default: a `faultLogger`, so the fault is visible in `console.error`.
 */
export function guardedLogger(logger: Logger, fallback: Logger = faultLogger()): Logger {
  const report = (err: unknown): void => fallback.error({ err }, 'the logger threw');
  const guarded =
    (level: keyof Logger) =>
    (fields: object, message: string): void =>
      callGuarded(() => logger[level](fields, message), report);
  return Object.freeze({
    debug: guarded('debug'),
    info: guarded('info'),
    warn: guarded('warn'),
    error: guarded('error'),
  });
}

/**
 * Calls a function of the operator. An exception, or the rejection of a promise that the function returns, goes to
 * `report` instead of to the caller or to `unhandledRejection`.
 */
export function callGuarded(call: () => unknown, report: (error: unknown) => void): void {
  try {
    const result = call();
    if (result instanceof Promise) result.catch(report);
  } catch (error) {
    report(error);
  }
}
