import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeResponse } from '../../tests/support/fake-response.ts';
import { silentLogger } from '../shared/logger.ts';
import type { StreamInfo } from '../store/types.ts';
import { Readership } from './readership.ts';
import { unreadEntries } from './timeout.ts';

const TIMEOUT_MS = 8_000;
/** The latest time after the timeout, while messages arrive. */
const LATE_MS = TIMEOUT_MS / 2;

const infoOf = (owner: string, timeoutMs = TIMEOUT_MS): StreamInfo => ({
  contentType: '',
  ttlSeconds: 60,
  metadata: { owner, ...unreadEntries(undefined, timeoutMs) },
  tail: '0',
});

/** Processes that share a store: `here` pumps the stream at first. */
class Team {
  readonly members = new Map<string, Readership>();
  info: StreamInfo | undefined = infoOf('here');
  /** Every message, as `receiver word`. */
  readonly messages: string[] = [];
  heads = 0;
  /** While false, no message arrives, and sending one fails. */
  isStoreUp = true;
  readonly onUnread = vi.fn();

  join(id: string): Readership {
    const deliver = (to: string, word: 'seen' | 'checked') => (streamId: string) => {
      if (!this.isStoreUp) return Promise.reject(new Error('the store is down'));
      this.messages.push(`${to} ${word}`);
      this.members.get(to)?.[word](streamId);
      return Promise.resolve(this.members.has(to));
    };
    const member = new Readership({
      store: {
        head: () => {
          this.heads += 1;
          return this.isStoreUp ? Promise.resolve(this.info) : Promise.reject(new Error('the store is down'));
        },
      },
      logger: silentLogger,
      processId: id,
      notify: (owner, streamId) => deliver(owner, 'seen')(streamId),
      check: deliver(id, 'checked'),
    });
    this.members.set(id, member);
    return member;
  }

  read(by: Readership): FakeResponse {
    const res = new FakeResponse();
    by.enter('stream', this.info!, res.response);
    return res;
  }
}

let team: Team;
let here: Readership;
let there: Readership;

beforeEach(() => {
  vi.useFakeTimers();
  team = new Team();
  here = team.join('here');
  there = team.join('there');
});
afterEach(() => vi.useRealTimers());

const watch = () => here.watch('stream', TIMEOUT_MS, team.onUnread);
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe('an answer without a reader', () => {
  it('is reported once its timeout is over, and at most half of that later', async () => {
    watch();
    await pass(TIMEOUT_MS - 1);
    expect(team.onUnread).not.toHaveBeenCalled();
    await pass(LATE_MS);
    expect(team.onUnread).toHaveBeenCalledTimes(1);
  });

  it('is not reported after it has ended', async () => {
    watch()();
    await pass(10 * TIMEOUT_MS);
    expect(team.onUnread).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('with a timeout longer than a timer of Node can wait is not reported early', async () => {
    const timeoutMs = 2 ** 32;
    here.watch('stream', timeoutMs, team.onUnread);
    await pass(timeoutMs - 1);
    expect(team.onUnread).not.toHaveBeenCalled();
    await pass(120_000);
    expect(team.onUnread).toHaveBeenCalledTimes(1);
  });

  it('is not reported while messages do not arrive, and is once they do', async () => {
    watch();
    team.isStoreUp = false;
    await pass(5 * TIMEOUT_MS);
    expect(team.onUnread).not.toHaveBeenCalled();
    team.isStoreUp = true;
    await pass(LATE_MS + TIMEOUT_MS / 4);
    expect(team.onUnread).toHaveBeenCalledTimes(1);
  });
});

describe('a reader in the same process', () => {
  it('keeps the answer for as long as it reads, and a timeout longer', async () => {
    watch();
    await pass(TIMEOUT_MS / 2);
    const res = team.read(here);
    await pass(3 * TIMEOUT_MS);
    res.close();
    await pass(TIMEOUT_MS - 1);
    expect(team.onUnread).not.toHaveBeenCalled();
    await pass(LATE_MS);
    expect(team.onUnread).toHaveBeenCalledTimes(1);
    expect(team.messages).toEqual(['here checked']);
  });

  it('that comes back in time changes nothing, however often', async () => {
    watch();
    for (let visit = 0; visit < 20; visit += 1) {
      await pass(TIMEOUT_MS - 1);
      team.read(here).close();
    }
    expect(team.onUnread).not.toHaveBeenCalled();
  });

  it('that comes between the timeout and the report keeps the answer', async () => {
    watch();
    await pass(TIMEOUT_MS + 1);
    const res = team.read(here);
    await pass(3 * TIMEOUT_MS);
    expect(team.onUnread).not.toHaveBeenCalled();
    res.close();
  });
});

describe('a reader in another process', () => {
  it('keeps the answer for as long as it reads, and a timeout longer', async () => {
    watch();
    const res = team.read(there);
    await pass(10 * TIMEOUT_MS);
    expect(team.onUnread).not.toHaveBeenCalled();
    res.close();
    await pass(TIMEOUT_MS - 1);
    expect(team.onUnread).not.toHaveBeenCalled();
    await pass(1 + LATE_MS);
    expect(team.onUnread).toHaveBeenCalledTimes(1);
    there.stop();
  });

  it('that comes back in time changes nothing, however often', async () => {
    watch();
    for (let visit = 0; visit < 20; visit += 1) {
      team.read(there).close();
      await pass(TIMEOUT_MS - 1);
    }
    expect(team.onUnread).not.toHaveBeenCalled();
  });

  it('costs four messages in a timeout, with any number of readers', async () => {
    const responses = Array.from({ length: 300 }, () => team.read(there));
    await pass(10 * TIMEOUT_MS);
    expect(team.messages.filter((message) => message === 'here seen').length).toBeLessThanOrEqual(41);
    for (const res of responses) res.close();
    await pass(TIMEOUT_MS);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is notified after an outage of the store, before the answer is reported', async () => {
    watch();
    team.read(there);
    await pass(TIMEOUT_MS / 2);
    team.isStoreUp = false;
    await pass(5 * TIMEOUT_MS);
    team.isStoreUp = true;
    await pass(5 * TIMEOUT_MS);
    expect(team.onUnread).not.toHaveBeenCalled();
    there.stop();
  });

  it('is notified to the process that has adopted the stream, even if that is its own', async () => {
    const res = team.read(there);
    for (const adopter of ['third', 'there']) {
      const onUnread = vi.fn();
      const process = team.members.get(adopter) ?? team.join(adopter);
      team.info = infoOf(adopter);
      const unwatch = process.watch('stream', TIMEOUT_MS, onUnread);
      await pass(3 * TIMEOUT_MS);
      expect(onUnread).not.toHaveBeenCalled();
      unwatch();
    }
    res.close();
  });

  it.each<[string, () => void]>([
    ['deleted', () => (team.info = undefined)],
    ['closed', () => (team.info = { ...infoOf('here'), end: { outcome: 'complete' } })],
  ])('costs nothing once the stream is %s', async (_how, change) => {
    team.read(there);
    change();
    await pass(TIMEOUT_MS);
    expect(vi.getTimerCount()).toBe(0);
  });
});

it('a reader of a stream without a timeout costs no message, no read of the store and no timer', async () => {
  team.info = infoOf('here', Number.MAX_SAFE_INTEGER);
  team.read(there);
  team.read(here);
  await pass(TIMEOUT_MS);
  expect([team.messages, team.heads, vi.getTimerCount()]).toEqual([[], 0, 0]);
});

it('a response that is already closed does not count as a reader', async () => {
  watch();
  const res = new FakeResponse();
  res.close();
  here.enter('stream', team.info!, res.response);
  await pass(TIMEOUT_MS + LATE_MS);
  expect(team.onUnread).toHaveBeenCalledTimes(1);
});
