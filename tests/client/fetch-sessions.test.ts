import { QueryClient } from '@tanstack/react-query';
import { expect, it } from 'vitest';
import { MemoryStorage } from '../../core-client/storage.ts';
import { UPSTREAM, useRig } from './support.ts';
import { FetchSessions } from '../../react/fetch-sessions.ts';

const rig = useRig();

it('a later run remembers that the server ignores idempotency keys, and does not repeat a lost POST', async () => {
  rig.standIn.extensions = false;
  const sessions = FetchSessions.of(new QueryClient());
  const session = (body: string) =>
    sessions.get(body, {
      url: UPSTREAM,
      body,
      proxyUrl: rig.standIn.url,
      storage: new MemoryStorage(),
      parse: 'text',
      throttleMs: 0,
    });
  expect(await session('first').run()).toBe('hello');
  for (const body of ['first', 'second']) {
    rig.standIn.faults.create.push('before-answer');
    await expect(session(body).run()).rejects.toMatchObject({ name: 'DurableNetworkError' });
  }
  expect(rig.standIn.upstreamCalls).toBe(3);
});
