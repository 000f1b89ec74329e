import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { StoreError } from '../types.ts';
import { Committer, type Participant } from './committer.ts';
import type { CommitLog } from './write-behind.ts';
import { collect, type Writes } from './operations.ts';

/** A log whose commits end when the test says so. */
class SlowLog implements CommitLog {
  readonly committed = 0;
  readonly readable = 0;
  readonly commits: { keys: string[]; done: (error?: Error) => void }[] = [];
  #onCommit: (() => void) | undefined;

  commit(write: (to: Writes) => void): Promise<void> {
    const keys = collect(write).map(({ key }) => key.toString());
    return new Promise((resolve, reject) => {
      this.commits.push({ keys, done: (error) => (error ? reject(error) : resolve()) });
      this.#onCommit?.();
    });
  }

  /** The n-th commit, when it has begun. */
  async begun(count: number): Promise<{ keys: string[]; done: (error?: Error) => void }> {
    while (this.commits.length < count) await new Promise<void>((resolve) => (this.#onCommit = resolve));
    return this.commits[count - 1]!;
  }

  settled = (): Promise<void> => Promise.resolve();
  close = (): Promise<void> => Promise.resolve();
}

/** Writes a key of its name, and records the calls that it receives. */
class Note implements Participant {
  readonly calls: (string | StoreError)[] = [];

  constructor(
    readonly name: string,
    private readonly onCommitted: () => void = () => undefined,
  ) {}

  write(to: Writes): void {
    to.put(Buffer.from(this.name), Buffer.from('x'));
  }

  committed(): void {
    this.calls.push('committed');
    this.onCommitted();
  }

  failed(error: StoreError): void {
    this.calls.push(error);
  }
}

const open = (): { log: SlowLog; committer: Committer } => {
  const log = new SlowLog();
  return { log, committer: new Committer(log, '/data') };
};

describe('the committer', () => {
  afterEach(() => void vi.useRealTimers());

  it('commits all writes of an event-loop turn together, in order, each once', async () => {
    const { log, committer } = open();
    const [a, b] = [new Note('a'), new Note('b')];
    for (const note of [a, b, a]) committer.add(note);
    const { keys, done } = await log.begun(1);
    expect(keys).toEqual(['a', 'b']);
    done();
    await committer.flush();
    expect([a.calls, b.calls]).toEqual([['committed'], ['committed']]);
    expect(log.commits).toHaveLength(1);
  });

  it('gathers writes that arrive during a commit for the next one', async () => {
    const { log, committer } = open();
    committer.add(new Note('a'));
    const first = await log.begun(1);
    const again = new Note('b', () => committer.add(new Note('d')));
    committer.add(again);
    committer.add(new Note('c'));
    expect(log.commits).toHaveLength(1);
    first.done();
    const second = await log.begun(2);
    expect(second.keys).toEqual(['b', 'c']);
    second.done();
    const third = await log.begun(3);
    expect(third.keys).toEqual(['d']);
    third.done();
    await committer.flush();
  });

  it('notifies all participants of a failed commit, and commits the next ones', async () => {
    const { log, committer } = open();
    const [a, b] = [new Note('a'), new Note('b')];
    committer.add(a);
    committer.add(b);
    (await log.begun(1)).done(new Error('no space left'));
    committer.add(new Note('c'));
    (await log.begun(2)).done();
    await committer.flush();
    for (const { calls } of [a, b]) {
      expect(calls).toEqual([expect.objectContaining({ name: 'StoreError', code: 'UNAVAILABLE' })]);
      expect((calls[0] as StoreError).message).toMatch(/"\/data" \(no space left\).*full/);
    }
  });

  it('commits lazy writes together with others, or alone after a delay', async () => {
    const { log, committer } = open();
    committer.addLazily(new Note('lazy'));
    committer.add(new Note('due'));
    const first = await log.begun(1);
    expect(first.keys).toEqual(['due', 'lazy']);
    first.done();
    committer.addLazily(new Note('alone'));
    const second = await log.begun(2);
    expect(second.keys).toEqual(['alone']);
    second.done();
    await committer.flush();
  });

  it('does not forget a lazy write that becomes due during a slow commit', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { log, committer } = open();
    committer.addLazily(new Note('first'));
    committer.add(new Note('due'));
    const slow = await log.begun(1);
    // The timer that was set for the first one is still running, and fires during a commit.
    committer.addLazily(new Note('second'));
    vi.advanceTimersToNextTimer();
    await turn();
    expect(log.commits).toHaveLength(1);
    slow.done();
    await turn();
    vi.advanceTimersToNextTimer();
    const next = await log.begun(2);
    expect(next.keys).toEqual(['second']);
    next.done();
    await committer.flush();
  });

  it('commits what a function puts, and reports the result to its caller', async () => {
    const { log, committer } = open();
    const good = committer.run((to) => to.remove(Buffer.from('k')));
    (await log.begun(1)).done();
    await good;
    const bad = committer.run((to) => to.remove(Buffer.from('k')));
    (await log.begun(2)).done(new StoreError('UNAVAILABLE', 'as it came'));
    await expect(bad).rejects.toThrow('as it came');
  });
});
