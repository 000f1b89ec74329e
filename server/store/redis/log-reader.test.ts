import { describe, expect, it } from 'vitest';
import { Commands } from './commands.ts';
import type { Argument, Connection, Reply } from './connection.ts';
import { readLog } from './log-reader.ts';
import { Requests } from './requests.ts';
import { scriptsFor } from './scripts.ts';

const LOG = 'p:{id}:log';

/** A connection that answers with these functions, one after the other, and repeats the last one. */
function connectionOf(...answers: ((args: readonly string[]) => Reply)[]) {
  const sent: string[][] = [];
  const recovered: unknown[] = [];
  const connection = {
    send: async (_key: string, args: readonly Argument[]) => {
      sent.push(args.map(String));
      return answers[Math.min(sent.length, answers.length) - 1]!(args.map(String));
    },
    recover: async (error: unknown) => void recovered.push(error),
  } as unknown as Connection;
  return {
    sent,
    recovered,
    requests: new Requests(connection, { requestTimeoutMs: 5_000, appendTimeoutMs: 5_000 }),
  };
}

/** Entries as XREAD returns them: their ids are the positions after their bytes. */
function entries(from: number, ...texts: string[]): Reply[] {
  let at = from;
  return texts.map((text) => {
    at += text.length;
    return [Buffer.from(`${at}-0`), [Buffer.from('d'), Buffer.from(text)]];
  });
}

const pairOf = (...list: Reply[]): Reply => [[Buffer.from(LOG), list]];

describe('readLog', () => {
  const read = (requests: Requests, from: number, maxBytes: number) =>
    readLog(requests, { log: LOG, from, maxBytes, entryBytes: 4 });
  const textOf = ({ parts }: { readonly parts: readonly Buffer[] }) => String(Buffer.concat(parts));

  it('returns bytes from the middle of an entry up to the middle of another', async () => {
    const { requests, sent } = connectionOf(() => pairOf(...entries(4, 'abcd', 'efgh', 'ijkl')));
    expect(textOf(await read(requests, 6, 5))).toBe('cdefg');
    expect(sent[0]!.slice(0, 2)).toEqual(['XREAD', 'COUNT']);
    expect(sent[0]!.slice(3)).toEqual(['STREAMS', LOG, '6-0']);
  });

  it('reads on where a reply ends, until the log ends', async () => {
    const { requests, sent } = connectionOf(
      () => pairOf(...entries(0, 'abcd')),
      () => pairOf(...entries(4, 'ef')),
      () => null,
    );
    const found = await read(requests, 0, 100);
    expect(textOf(found)).toBe('abcdef');
    expect(found.size).toBe(6);
    expect(sent.map((args) => args.at(-1))).toEqual(['0-0', '4-0', '6-0']);
  });

  it('accepts the map of RESP 3', async () => {
    const { requests } = connectionOf(() => [Buffer.from(LOG), entries(0, 'abcd')]);
    expect(textOf(await read(requests, 0, 4))).toBe('abcd');
  });

  it('ends at a gap', async () => {
    const { requests } = connectionOf(
      () => pairOf(...entries(0, 'abcd'), ...entries(8, 'ijkl')),
      () => pairOf(...entries(8, 'ijkl')),
    );
    expect(textOf(await read(requests, 0, 100))).toBe('abcd');
  });

  it('repeats the command if the reply is that of another log', async () => {
    const { requests, recovered } = connectionOf(
      () => [[Buffer.from('p:{other}:log'), entries(0, 'evil')]],
      () => 'OK',
      () => pairOf(...entries(0, 'good')),
    );
    expect(textOf(await read(requests, 0, 4))).toBe('good');
    expect(recovered).toHaveLength(2);
  });
});

describe('Commands.read', () => {
  const script =
    (...reply: Reply[]) =>
    (args: readonly string[]): Reply => [args[5]!, ...reply];
  const commandsOf = (requests: Requests) => new Commands(requests, scriptsFor('PUBLISH'), 'p:', 'who');
  const options = { touch: false };
  const piece = 'x'.repeat(65_536);

  it('reads what follows the first bytes without a script, then the state', async () => {
    const { requests, sent } = connectionOf(
      script('OK', 'epoch', '131072', null, Buffer.from(piece), 65_536),
      () => pairOf(...entries(65_536, piece)),
      script('OK', 'epoch', '131072', '{"outcome":"complete"}', Buffer.alloc(0), 0),
    );
    const chunk = await commandsOf(requests).read('id', 0, 1_000_000, options);
    expect(chunk.bytes.equals(Buffer.from(piece + piece))).toBe(true);
    expect(chunk).toMatchObject({ tail: 131_072, end: { outcome: 'complete' } });
    expect(sent.map(([name]) => name)).toEqual(['EVALSHA', 'XREAD', 'EVALSHA']);
  });

  it('returns no bytes of a stream that has replaced this one meanwhile', async () => {
    const { requests, sent } = connectionOf(
      script('OK', 'epoch', '131072', null, Buffer.from(piece), 65_536),
      () => pairOf(...entries(65_536, piece)),
      (args) => script(args[8] === 'epoch' ? 'NOT_FOUND' : 'OK')(args),
    );
    const reading = commandsOf(requests).read('id', 0, 1_000_000, options);
    await expect(reading).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(sent).toHaveLength(3);
  });

  it('reads small entries by script only', async () => {
    const { requests, sent } = connectionOf(
      script('OK', 'epoch', '131072', null, Buffer.from(piece), 120),
      script('OK', 'epoch', '131072', null, Buffer.from(piece), 120),
    );
    expect((await commandsOf(requests).read('id', 0, 1_000_000, options)).bytes).toHaveLength(131_072);
    expect(sent.map(([name]) => name)).toEqual(['EVALSHA', 'EVALSHA']);
  });
});
