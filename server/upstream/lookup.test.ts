import type { LookupAddress, LookupOptions } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { describe, expect, it } from 'vitest';
import { guardLookup } from './lookup.ts';

const PUBLIC: LookupAddress[] = [
  { address: '93.184.216.34', family: 4 },
  { address: '2606:2800:220:1::1', family: 6 },
];

/** Calls the guarded lookup once, and counts its calls of the wrapped one. */
async function ask(answer: Parameters<Parameters<LookupFunction>[2]>, options: LookupOptions) {
  let questions = 0;
  const guarded = guardLookup((_hostname, asked, callback) => {
    questions += 1;
    expect(asked.all).toBe(true);
    callback(...answer);
  });
  const [error, found, family] = await new Promise<Parameters<Parameters<LookupFunction>[2]>>((resolve) =>
    guarded('h.example', options, (...result) => resolve(result)),
  );
  expect(questions).toBe(1);
  return { error, found, family };
}

describe('guardLookup', () => {
  it('returns all public addresses, or the first, as requested', async () => {
    expect(await ask([null, PUBLIC], { all: true })).toMatchObject({ error: null, found: PUBLIC });
    expect(await ask([null, PUBLIC], {})).toMatchObject({ error: null, found: '93.184.216.34', family: 4 });
    expect(await ask([null, '93.184.216.34', 4], { all: true })).toMatchObject({ found: [PUBLIC[0]] });
  });

  it.each([
    '127.0.0.1',
    '10.1.2.3',
    '169.254.169.254',
    '::1',
    '::ffff:10.0.0.1',
    'fd00::1',
    '64:ff9b::a00:1',
  ])('refuses a name when any of its addresses is %s, and does not tell which', async (address) => {
    const family = address.includes(':') ? 6 : 4;
    for (const found of [[{ address, family }], [...PUBLIC, { address, family }]]) {
      for (const all of [true, false]) {
        const { error } = await ask([null, found], { all });
        expect(error).toMatchObject({ name: 'ProxyError', code: 'UPSTREAM_NOT_ALLOWED' });
        expect(error?.message).toContain('h.example');
        expect(error?.message).not.toContain(address);
      }
    }
    expect((await ask([null, address, family], {})).error).toMatchObject({ code: 'UPSTREAM_NOT_ALLOWED' });
  });

  it('passes failures on, and treats an empty result as a failure', async () => {
    const failure = Object.assign(new Error('queryA ESERVFAIL'), { code: 'ESERVFAIL' });
    expect((await ask([failure, []], { all: true })).error).toBe(failure);
    expect((await ask([null, []], { all: true })).error).toMatchObject({ code: 'ENOTFOUND' });
  });
});
