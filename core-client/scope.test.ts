import { describe, expect, it } from 'vitest';
import { UPSTREAM, useRig } from '../tests/client/support.ts';
import { jwtSubject, subjectOf } from './scope.ts';
import { MemoryStorage } from './storage.ts';
import type { DurableFetchOptions } from './types.ts';

const rig = useRig();
let renewals = 0;
const CALL = { body: '{"q":1}', requestId: 'chat-1' };

/** A JWT without a valid signature. The characters of `sub` need both characters that base64url replaces. */
const token = (sub: string | undefined, exp = 1) =>
  `head.${Buffer.from(JSON.stringify({ iss: 'i', sub, exp })).toString('base64url')}.signature`;

describe('jwtSubject', () => {
  it('is the same for a renewed token, and different for another user', () => {
    const user = 'user-ÿ?>~';
    expect(jwtSubject(token(user, 1))).toBe(jwtSubject(token(user, 2)));
    expect(jwtSubject(`Bearer ${token(user)}`)).toBe(jwtSubject(token(user)));
    expect(jwtSubject(token('user-2'))).not.toBe(jwtSubject(token(user)));
  });

  it.each([undefined, '', 'secret', 'a.b.c', 'a.bnVsbA.c', token(undefined)])(
    'is undefined for %j, whose complete text identifies the caller',
    (text) => {
      expect(jwtSubject(text)).toBeUndefined();
      expect(subjectOf(text)).toBe(text ?? '');
    },
  );
});

/** Reads the first word of an answer that continues. */
async function begin(options: Partial<DurableFetchOptions>) {
  rig.standIn.upstream = (stream) => void stream.push('hello');
  const client = rig.client(options);
  const response = await client(UPSTREAM, CALL);
  const reader = response.body!.getReader();
  await reader.read();
  return { client, response, reader };
}

describe('a stored answer', () => {
  it.each<[string, (user: string) => Partial<DurableFetchOptions>]>([
    ['scope', (scope) => ({ scope })],
    ['a secret', (proxyAuthorization) => ({ proxyAuthorization })],
    ['a token', (user) => ({ proxyAuthorization: token(user, ++renewals) })],
    ['a function for a token', (user) => ({ proxyAuthorization: async () => token(user, ++renewals) })],
  ])('is found only by the same user, identified by %s', async (_, login) => {
    const storage = new MemoryStorage();
    await begin({ storage, ...login('user-a') });
    expect((await begin({ storage, ...login('user-b') })).response.wasResumed).toBe(false);
    expect(rig.standIn.upstreamCalls).toBe(2);
    expect((await begin({ storage, ...login('user-a') })).response.wasResumed).toBe(true);
    expect(rig.standIn.upstreamCalls).toBe(2);
    expect(await rig.client({ storage, ...login('user-c') }).abort('chat-1')).toBe(false);
    for (const key of storage.keys()) expect(key + storage.getItem(key)).not.toMatch(/user-[ab]/);
  });

  it('is not shared by requests without a known result', async () => {
    rig.standIn.faults.create.push(...Array.from({ length: 20 }, () => 'before-answer' as const));
    const client = rig.client({ retryTimeoutMs: 1 });
    const { requestId: _, ...call } = CALL;
    await expect(client(UPSTREAM, { ...call, scope: 'user-a' })).rejects.toThrow();
    rig.standIn.faults.create.length = 0;
    await client(UPSTREAM, { ...call, scope: 'user-b' });
    await client(UPSTREAM, { ...call, scope: 'user-a' });
    expect(rig.standIn.upstreamCalls).toBe(2);
  });
});

describe('an authorization function', () => {
  it('is called once for the scope and the request', async () => {
    let calls = 0;
    const client = rig.client({ proxyAuthorization: async () => token('user', ++calls) });
    await (await client(UPSTREAM, CALL)).text();
    expect(calls).toBe(1);
  });

  it('is called again after a failure, and the call reports that it is reconnecting', async () => {
    let calls = 0;
    const proxyAuthorization = async () => {
      if (++calls < 3) throw new TypeError('fetch failed');
      return token('user');
    };
    await (await rig.client({ proxyAuthorization })(UPSTREAM, CALL)).text();
    expect(calls).toBe(3);
    expect(rig.states.map(({ status }) => status)).toContain('reconnecting');
  });
});

describe('forget', () => {
  it.each([true, false])(
    'ends reads without stopping the upstream (abortUpstream: %s)',
    async (abortUpstream) => {
      const storage = new MemoryStorage();
      const { client, response, reader } = await begin({ storage, scope: 'user-a', abortUpstream });
      await begin({ storage, scope: 'user-b' });
      const before = [...storage.keys()].length;
      await client.forget();
      await expect(reader.read()).rejects.toMatchObject({ name: 'AbortError' });
      expect(await response.outcome).toBe('aborted');
      expect([...storage.keys()]).toHaveLength(before / 2);
      expect(rig.standIn.count('abort')).toBe(0);
      expect((await begin({ storage, scope: 'user-b' })).response.wasResumed).toBe(true);
    },
  );

  it('ends a request that waits for its token, and stores nothing of it', async () => {
    const storage = new MemoryStorage();
    let answer!: (token: string) => void;
    const waiting = new Promise<string>((resolve) => (answer = resolve));
    const client = rig.client({ storage, proxyAuthorization: () => waiting });
    const call = client(UPSTREAM, CALL);
    const forgotten = client.forget({ scope: 'user' });
    await forgotten;
    answer('user');
    await expect(call).rejects.toMatchObject({ name: 'AbortError' });
    expect([...storage.keys()]).toEqual([]);
    expect(rig.standIn.upstreamCalls).toBe(0);
  });

  it('rejects if the storage does not list its keys', async () => {
    const { getItem, setItem, removeItem } = new MemoryStorage();
    const client = rig.client({ storage: { getItem, setItem, removeItem } });
    await expect(client.forget()).rejects.toMatchObject({ name: 'DurableStorageError' });
  });
});
