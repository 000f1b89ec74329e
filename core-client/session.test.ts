import { afterEach, describe, expect, it, vi } from 'vitest';
import { UPSTREAM, useRig } from '../tests/client/support.ts';
import { createSessionStore, type DurableSession, type SessionSnapshot } from './session.ts';

const rig = useRig();

/** Resolves with the first snapshot that meets a condition. */
function when(
  session: DurableSession,
  condition: (snapshot: SessionSnapshot) => boolean,
): Promise<SessionSnapshot> {
  return new Promise((resolve) => {
    const look = () => {
      if (!condition(session.getSnapshot())) return;
      off();
      resolve(session.getSnapshot());
    };
    const off = session.subscribe(look);
    look();
  });
}

afterEach(() => {
  vi.useRealTimers();
});

describe('a session', () => {
  it('shares one answer among all holders of its key, during the answer and after its end', async () => {
    rig.standIn.upstream = (stream) => void stream.push('gr', 'öße ', Buffer.from('€').subarray(0, 1));
    const store = createSessionStore();
    const start = vi.fn((init) => rig.client()(UPSTREAM, { body: 'x', ...init }));
    const session = store.acquire('key', start);
    expect(store.acquire('key', start)).toBe(session);
    expect(session.getSnapshot()).toMatchObject({ text: '', isDone: false, response: undefined });
    const live = await when(session, ({ text }) => text === 'größe ');
    expect(live.resumption.status).toBe('streaming');
    expect(session.getSnapshot()).toBe(session.getSnapshot());
    [...rig.standIn.streams.values()][0]?.push(Buffer.from('€').subarray(1)).close();
    const done = await session.done;
    expect(done).toMatchObject({ text: 'größe €', isDone: true, error: undefined });
    expect(done.response?.status).toBe(200);
    expect(done.resumption.status).toBe('complete');
    expect(session.getSnapshot()).toBe(done);
    expect(start).toHaveBeenCalledTimes(1);
  });

  it('ends with the text so far and the error', async () => {
    rig.standIn.upstream = (stream) => void stream.push('some').close('timeout');
    const session = createSessionStore().acquire('key', (init) => rig.client()(UPSTREAM, init));
    expect(await session.done).toMatchObject({ text: 'some', isDone: true, error: { outcome: 'timeout' } });
  });

  it('is done immediately if there is nothing to resume', async () => {
    const session = createSessionStore().acquire('key', (init) => rig.client().resume('nothing', init));
    expect(await session.done).toMatchObject({
      text: '',
      isDone: true,
      response: undefined,
      error: undefined,
    });
    await session.abort();
  });

  it('stops the answer on request', async () => {
    rig.standIn.upstream = (stream) => void stream.push('some');
    const session = createSessionStore().acquire('key', (init) => rig.client()(UPSTREAM, init));
    await when(session, ({ text }) => text === 'some');
    await session.abort();
    const { resumption, error } = await session.done;
    expect(resumption.status).toBe('aborted');
    expect(error).toMatchObject({ name: 'AbortError' });
  });

  it('is read for a grace period after its last release, then canceled without a stop of the upstream', async () => {
    rig.standIn.upstream = (stream) => void stream.push('some');
    const store = createSessionStore(1_000);
    const start = vi.fn((init) => rig.client()(UPSTREAM, init));
    const session = store.acquire('key', start);
    await when(session, ({ text }) => text === 'some');
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    session.release();
    await vi.advanceTimersByTimeAsync(999);
    expect(store.acquire('key', start)).toBe(session);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(session.getSnapshot().isDone).toBe(false);
    session.release();
    await vi.advanceTimersByTimeAsync(1_000);
    vi.useRealTimers();
    expect((await session.done).error).toMatchObject({ name: 'AbortError' });
    await rig.standIn.until(() => rig.standIn.readers === 0);
    expect(rig.standIn.count('abort')).toBe(0);
    const another = store.acquire('key', start);
    expect(another).not.toBe(session);
    another.release();
  });
});
