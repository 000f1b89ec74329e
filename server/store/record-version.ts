import { StoreError } from './types.ts';

/** Version of the records that this release writes, and the newest that it reads. Those of release 0.1 have none. */
export const RECORD_VERSION = 1;

/** Returns the error for a record that this release cannot read. */
export function newerRecord(what: string, version: number | string): StoreError {
  return new StoreError(
    'UNAVAILABLE',
    `${what} has version ${version}, and this release of durable-proxy reads versions up to ${RECORD_VERSION}. A newer ` +
      'release wrote it: upgrade this process, or let the record expire',
  );
}

/**
 * Checks the field `v` of a record. Newer records are refused instead of misread.
 * @throws StoreError `UNAVAILABLE` if the version is higher than `RECORD_VERSION`.
 */
export function checkVersion(record: { readonly v?: unknown }, what: string): void {
  const { v } = record;
  if (typeof v === 'number' && v > RECORD_VERSION) throw newerRecord(what, v);
}

/**
 * Parses a line of a log that several processes write.
 * @returns undefined unless it is a JSON object: readers ignore lines that they do not know.
 * @throws StoreError `UNAVAILABLE` if the line has a higher version than this release reads.
 */
export function parseLogLine(line: string, what: string): object | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  checkVersion(value, what);
  return value;
}

/** Returns a line of a log, with the version of this release. */
export function logLine(entry: object): string {
  return JSON.stringify({ ...entry, v: RECORD_VERSION });
}
