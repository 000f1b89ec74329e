import type { Usage } from '../protocol/usage.ts';

const COUNT = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const TIME = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** The sign of a value that is unknown. */
export const NONE = '–';

export function count(value: number): string {
  return COUNT.format(value);
}

/** Formats bytes with three digits at most: `1.2 kB`. */
export function bytes(value: number): string {
  let scaled = value;
  let unit = 0;
  while (scaled >= 1_000 && unit < UNITS.length - 1) {
    scaled /= 1_000;
    unit += 1;
  }
  return `${unit > 0 && scaled < 99.95 ? scaled.toFixed(1) : Math.round(scaled)} ${UNITS[unit]}`;
}

/** Formats a short duration: `0.42 ms`, `830 ms`, `2.4 s`. */
export function milliseconds(value: number | undefined): string {
  if (value === undefined) return NONE;
  if (value < 10) return `${value.toFixed(value < 1 ? 2 : 1)} ms`;
  return value < 1_000 ? `${Math.round(value)} ms` : seconds(value);
}

/** Formats an age: `4.2 s`, `3 min 05 s`, `2 h 10 min`, `3 d`. */
export function seconds(ms: number): string {
  const total = Math.max(0, ms) / 1_000;
  if (total < 60) return `${total.toFixed(total < 10 ? 1 : 0)} s`;
  const minutes = Math.floor(total / 60);
  if (minutes < 60) return `${minutes} min ${String(Math.floor(total % 60)).padStart(2, '0')} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48
    ? `${hours} h ${String(minutes % 60).padStart(2, '0')} min`
    : `${Math.floor(hours / 24)} d`;
}

export function timeOfDay(unixMs: number): string {
  return TIME.format(unixMs);
}

/** Formats tokens: `1,204 → 388`. */
export function tokens(usage: Usage | undefined): string {
  if (usage?.inputTokens === undefined && usage?.outputTokens === undefined) return NONE;
  const side = (value: number | undefined) => (value === undefined ? NONE : count(value));
  return `${side(usage.inputTokens)} → ${side(usage.outputTokens)}`;
}

/** Shortens the origin and path of an upstream: without the scheme. */
export function upstream(url: string | undefined): string {
  return url === undefined ? NONE : url.replace(/^https?:\/\//, '');
}

/** Returns the singular or the plural with its number. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}
