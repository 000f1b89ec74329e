/** The part of pino's interface that the proxy uses: fields first, then a message. */
export interface Logger {
  /**
   * Logs details for troubleshooting.
   * @param fields structured data, such as `streamId` and `err`.
   * @param message a short text in English, without data.
   */
  debug(fields: object, message: string): void;
  /**
   * Logs a normal event.
   * @param fields structured data, such as `streamId`.
   * @param message a short text in English, without data.
   */
  info(fields: object, message: string): void;
  /**
   * Logs a problem that the proxy has handled.
   * @param fields structured data, such as `streamId` and `err`.
   * @param message a short text in English, without data.
   */
  warn(fields: object, message: string): void;
  /**
   * Logs an error that needs attention.
   * @param fields structured data, such as `streamId` and `err`.
   * @param message a short text in English, without data.
   */
  error(fields: object, message: string): void;
}

const nothing = (): void => undefined;

export const silentLogger: Logger = Object.freeze({
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
});

/** The same error is printed once in this many milliseconds. */
const REPEAT_MS = 60_000;
/** Maximum number of errors that are remembered. The oldest is evicted. */
const MAX_REMEMBERED = 100;
/** Maximum number of warnings printed in `REPEAT_MS`. A limit is needed because callers control their text. */
const MAX_WARNINGS = 20;
/** Errors of an upstream or of a shutdown are not errors of the operator's code or store. */
const NOT_A_FAULT = /^(?:UPSTREAM_|SHUTTING_DOWN)/;
/** Problems that only the operator's configuration can fix, and that no response explains. */
const WORTH_A_WARNING: ReadonlySet<unknown> = new Set(['UPSTREAM_NOT_ALLOWED', 'SHORT_SECRET']);

/**
 * Creates the default logger: prints errors, rejected upstream URLs and a short `jwtSecret` as text, and nothing
 * else. The same error (message and cause) is printed once per minute, with the number of repetitions.
 * @param print writes one entry. Default: `console.error`.
 * @param now returns milliseconds. Default: `performance.now`.
 */
export function faultLogger(
  // eslint-disable-next-line no-console -- errors must be visible without a logger
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
      if (!WORTH_A_WARNING.has((fields as { code?: unknown }).code)) return;
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
 * Wraps a logger so that its exceptions and rejected promises are reported to `fallback`.
 * @param fallback default: a `faultLogger`, so that the error is visible on the console.
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
 * Calls a function of the operator. Exceptions and rejections are passed to `report` instead of the caller or
 * `unhandledRejection`.
 */
export function callGuarded(call: () => unknown, report: (error: unknown) => void): void {
  try {
    const result = call();
    if (result instanceof Promise) result.catch(report);
  } catch (error) {
    report(error);
  }
}
