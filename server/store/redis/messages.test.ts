import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseMessage } from './messages.ts';

const EPOCH = 'abcdefgh-_012345';
const AT = '0000000000001234';

const message = (...parts: (string | Uint8Array)[]): Buffer =>
  Buffer.concat(parts.map((part) => Buffer.from(part)));

describe('a message of a stream', () => {
  it('carries any bytes and their position', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(parseMessage(message('d', EPOCH, AT, bytes))).toEqual({
          kind: 'data',
          epoch: EPOCH,
          start: 1234,
          bytes: Buffer.from(bytes),
        });
      }),
    );
  });

  it('carries the end before the last bytes', () => {
    const end = { outcome: 'aborted', error: { code: 'A', message: 'zoë 🦉' } };
    const json = Buffer.from(JSON.stringify(end));
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const parsed = parseMessage(
          message('e', EPOCH, AT, String(json.length).padStart(8, '0'), json, bytes),
        );
        expect(parsed).toEqual({ kind: 'data', epoch: EPOCH, start: 1234, bytes: Buffer.from(bytes), end });
      }),
    );
  });

  it('reports that there are more bytes, or that the stream was deleted', () => {
    expect(parseMessage(message('m', EPOCH, AT))).toEqual({ kind: 'more', epoch: EPOCH });
    expect(parseMessage(message('g', EPOCH, AT))).toEqual({ kind: 'gone', epoch: EPOCH });
  });

  it('is undefined if it is malformed, and never throws', () => {
    fc.assert(
      fc.property(fc.constantFrom('d', 'e', 'm', 'g', 'x', ''), fc.uint8Array(), (kind, rest) => {
        const parsed = parseMessage(message(kind, EPOCH, rest));
        if (!/^\d{16}/.test(Buffer.from(rest).toString('latin1'))) expect(parsed).toBeUndefined();
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array(), (rest) => {
        parseMessage(message('e', EPOCH, AT, '00000009', rest));
      }),
    );
  });
});
