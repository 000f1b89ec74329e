import { expect, it } from 'vitest';
import { logLine, parseLogLine, RECORD_VERSION } from './record-version.ts';

it('reads lines of this release and of release 0.1, and ignores what is no object', () => {
  expect(parseLogLine(logLine({ a: 1 }), 'The log')).toEqual({ a: 1, v: RECORD_VERSION });
  expect(parseLogLine('{"a":1}', 'The log')).toEqual({ a: 1 });
  for (const line of ['', '{', '1', 'null', '"v"']) expect(parseLogLine(line, 'The log')).toBeUndefined();
});

it('refuses a line of a newer release, and says its version and what to do', () => {
  const newer = JSON.stringify({ a: 1, v: RECORD_VERSION + 1 });
  expect(() => parseLogLine(newer, 'The log')).toThrow(
    /The log has version 2.*up to 1.*upgrade this process/,
  );
  expect(() => parseLogLine(newer, 'The log')).toThrow(expect.objectContaining({ code: 'UNAVAILABLE' }));
});
