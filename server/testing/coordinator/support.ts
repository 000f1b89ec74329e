import { randomUUID } from 'node:crypto';
import type { Claim, Coordinator, NameEntry } from '../../coordination/types.ts';
import { expect } from '../expect.ts';
import type { TestApi } from '../test-api.ts';

/** One process with a coordinator, on an open store. */
export interface ProcessUnderTest {
  /** Coordinator of the process. */
  readonly coordinator: Coordinator;
  /** Ends the process as a crash does: it renews nothing and releases nothing. */
  kill(): Promise<void>;
}

/** Result of a factory: processes that share one store. */
export interface CoordinationUnderTest {
  /** Adds a process. */
  join(): Promise<ProcessUnderTest>;
  /** Ends all processes as a crash does, and reopens the store for those that join afterwards. */
  restart(): Promise<void>;
  /** Removes all data. */
  dispose(): Promise<void>;
}

/** Options of the contract tests of a coordinator. */
export interface CoordinationOptions {
  /** True for a single-process store: several coordinators share it, and end together. Default false. */
  readonly exclusive?: boolean;
}

/**
 * Creates an empty store that processes can join.
 * @param ttlSeconds seconds that claims and names are kept after their last use.
 */
export type CoordinationFactory = (ttlSeconds: number) => Promise<CoordinationUnderTest>;

/** Functions that the parts of the suite share. */
export interface Suite extends Pick<TestApi, 'it'>, CoordinationOptions {
  /** Adds a group of tests that share one store; each test uses keys of its own. */
  section(title: string, tests: (section: Section) => void, ttlSeconds?: number): void;
}

export interface Section {
  /** Two coordinators, each of a process that has started. */
  readonly a: Started;
  readonly b: Started;
  start(): Promise<Started>;
  /** Ends all processes, and starts `a` and `b` again as new processes. */
  restart(): Promise<void>;
}

/** A process that has started, with the messages that it received. */
export interface Started extends ProcessUnderTest, Coordinator {
  readonly id: string;
  readonly messages: readonly string[];
  /** Resolves when this many messages have arrived. */
  received(count: number): Promise<void>;
}

/** A TTL in seconds that is longer than every test. */
const LONG_SECONDS = 3_600;

export function suiteOf(api: TestApi, factory: CoordinationFactory, options: CoordinationOptions): Suite {
  const { describe, it, beforeAll, afterAll } = api;
  const section: Suite['section'] = (title, tests, ttlSeconds = LONG_SECONDS) =>
    void describe(title, () => {
      let under: CoordinationUnderTest;
      let running: Started[] = [];
      const start = async () => {
        const started = await startOn(await under.join());
        running.push(started);
        return started;
      };
      const startBoth = async () => {
        await start();
        await start();
      };
      beforeAll(async () => {
        under = await factory(ttlSeconds);
        await startBoth();
      });
      afterAll(async () => {
        for (const { processes } of running) await processes.stop();
        await under.dispose();
      });
      tests({
        get a() {
          return running[0]!;
        },
        get b() {
          return running[1]!;
        },
        start,
        async restart() {
          await under.restart();
          running = [];
          await startBoth();
        },
      });
    });
  return { ...options, it, section };
}

async function startOn(process: ProcessUnderTest): Promise<Started> {
  const { coordinator } = process;
  const messages: string[] = [];
  let check: () => void = () => undefined;
  await coordinator.processes.start((message) => {
    messages.push(message);
    check();
  });
  return {
    ...coordinator,
    coordinator,
    id: coordinator.processes.id,
    kill: () => process.kill(),
    messages,
    received: (count) =>
      new Promise((resolve) => {
        check = () => messages.length >= count && resolve();
        check();
      }),
  };
}

export const newKey = (): string => `claim-${randomUUID()}`;

/** Returns the claim of a create. */
export function claimOf({ id }: Pick<Started, 'id'>, changes: Partial<Claim> = {}): Claim {
  return {
    token: randomUUID(),
    process: id,
    fingerprint: 'request',
    state: 'open',
    abortedAt: 0,
    ...changes,
  };
}

/** Returns a create under a name. */
export function entryOf({ id }: Pick<Started, 'id'>, changes: Partial<NameEntry> = {}): NameEntry {
  return { streamId: randomUUID(), process: id, state: 'accepted', ...changes };
}

/** A signal that never aborts. */
export const forever = new AbortController().signal;

/** Resolves when the condition holds. It depends on time only: a lease or a TTL expires. */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 50));
}

/** Checks that a call rejects with the signal's reason. */
export async function expectAborted(call: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const controller = new AbortController();
  const pending = call(controller.signal);
  const reason = new Error('enough');
  controller.abort(reason);
  await expect(pending).rejects.toBe(reason);
}
