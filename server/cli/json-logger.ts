import type { Logger } from '../shared/logger.ts';
import type { LogLevel } from './arguments.ts';

/** Levels of pino, so that its tools can read the log. */
const NUMBERS = { debug: 20, info: 30, warn: 40, error: 50, silent: Infinity } as const;

/**
 * Creates a logger that writes one line of JSON per entry in the format of pino: `level`, `time` (ms since 1970), the
 * fields, `msg`.
 */
export function jsonLogger(level: LogLevel, write: (line: string) => void): Logger {
  const method =
    (name: Exclude<LogLevel, 'silent'>) =>
    (fields: object, message: string): void => {
      if (NUMBERS[name] < NUMBERS[level]) return;
      const entry = { level: NUMBERS[name], time: Date.now(), ...fields, msg: message };
      write(`${JSON.stringify(entry, serialize)}\n`);
    };
  return { debug: method('debug'), info: method('info'), warn: method('warn'), error: method('error') };
}

/** Errors have no enumerable fields: without this, they would be logged as `{}`. */
function serialize(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (!(value instanceof Error)) return value;
  return {
    type: value.name,
    message: value.message,
    stack: value.stack,
    ...('code' in value && { code: value.code }),
    ...(value.cause !== undefined && { cause: value.cause }),
  };
}
