import { ERROR_STATUS } from '../protocol/errors.ts';
import { TestTools, Skipped, type Environment } from './test-tools.ts';
import type { ConformanceTest } from './define.ts';
import { findExtensions } from './probes.ts';
import { SECTIONS } from './sections/index.ts';
import { StandIn } from './stand-in.ts';
import {
  EXTENSIONS,
  type ConformanceResult,
  type Extension,
  type ProxyTarget,
  type SectionName,
  type TestResult,
} from './types.ts';

/** Time limit of a test in milliseconds, long enough for a busy machine. Slow tests have a longer one. */
const LIMIT_MS = 30_000;
const SLOW_LIMIT_MS = 90_000;
const CLEAN_UP_MS = 5_000;

interface Planned {
  readonly section: SectionName;
  readonly test: ConformanceTest;
}

/**
 * Thrown if the target cannot be tested: it is not reachable, the secret is wrong, or it cannot reach the suite's
 * upstreams.
 */
export class TargetError extends Error {
  override readonly name = 'TargetError';
}

/**
 * Lists the tests, so that a test runner can declare them one by one.
 * @param only sections to list. Default: all.
 * @returns the tests in the order of the sections.
 */
export function listProxyConformance(
  only?: readonly SectionName[],
): { section: SectionName; title: string; slow: boolean }[] {
  return plan(only).map(({ section, test: { title, slow = false } }) => ({ section, title, slow }));
}

/**
 * Tests a server of the proxy protocol through its HTTP interface, with upstreams of the suite. A failed test is part
 * of the result and does not reject.
 * @param target the server, its secret, and which tests to run.
 * @returns the result of every test.
 * @throws TargetError if the target cannot be tested. Its message says what to change.
 */
export async function runProxyConformance(target: ProxyTarget): Promise<ConformanceResult> {
  const { upstreamHost = '127.0.0.1', concurrency = 8, signal, onResult, secret, signUrl } = target;
  const base = baseOf(target.url);
  const startedAt = performance.now();
  const standIn = await StandIn.listen(upstreamHost);
  try {
    const environment: Environment = { base, secret, standIn, ...(signUrl && { signUrl }) };
    await checkTarget(environment);
    const extensions = await extensionsOf(target, environment);
    const planned = plan(target.only);
    const results = new Map<Planned, TestResult>();
    const runOne = async (each: Planned): Promise<void> => {
      const result = await runTest(each, { environment, extensions, target, signal });
      results.set(each, result);
      onResult?.(result);
    };
    const quick = planned.filter(({ test }) => !test.slow);
    const lane = async (): Promise<void> => {
      for (let next = quick.shift(); next; next = quick.shift()) await runOne(next);
    };
    const slow = planned.filter(({ test }) => test.slow).map(runOne);
    await Promise.all([...slow, ...Array.from({ length: Math.max(1, concurrency) }, lane)]);

    const tests = planned.flatMap((each) => results.get(each) ?? []);
    const count = (status: TestResult['status']) => tests.filter((each) => each.status === status).length;
    return {
      url: base,
      extensions: [...extensions],
      passed: count('passed'),
      failed: count('failed'),
      skipped: count('skipped'),
      milliseconds: performance.now() - startedAt,
      tests,
    };
  } finally {
    await standIn.close();
  }
}

function plan(only: readonly SectionName[] | undefined): Planned[] {
  return SECTIONS.filter(({ name }) => !only || only.includes(name)).flatMap(({ name, tests }) =>
    tests.map((test) => ({ section: name, test })),
  );
}

function baseOf(text: string): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new TargetError(
      `"${text}" is not a URL. Use the URL of the mount, such as http://localhost:4440/v1/proxy`,
    );
  }
  if (!/^https?:$/.test(url.protocol)) throw new TargetError('The URL must be http or https');
  if (url.pathname === '/') url.pathname = '/v1/proxy';
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

async function checkTarget(environment: Environment): Promise<void> {
  const t = new TestTools(environment, AbortSignal.timeout(LIMIT_MS));
  try {
    const upstream = t.reply('ok');
    const { status } = await t.create(upstream).catch((cause: unknown) => {
      throw new TargetError(`${environment.base} cannot be reached`, { cause });
    });
    if (status === 201) return;
    const { host, origin } = new URL(upstream.url);
    const hints: Record<number, string> = {
      401: 'it refuses the secret',
      [ERROR_STATUS.UPSTREAM_NOT_ALLOWED]: `its allowlist must cover ${origin.replace(/\d+$/, '*')}/**`,
      404: 'there is no proxy under this path',
      502: `it cannot reach the suite's upstream at ${host}. Set upstreamHost to the name by which it can`,
    };
    throw new TargetError(
      `${environment.base} creates no stream (${status}): ${hints[status] ?? 'it must respond 201'}`,
    );
  } finally {
    await t.dispose(AbortSignal.timeout(CLEAN_UP_MS));
  }
}

async function extensionsOf(target: ProxyTarget, environment: Environment): Promise<ReadonlySet<Extension>> {
  const { extensions } = target;
  if (extensions === true) return new Set(EXTENSIONS);
  if (extensions === false) return new Set();
  if (extensions) return new Set(extensions);
  return findExtensions(async (probe) => {
    const t = new TestTools(environment, AbortSignal.timeout(LIMIT_MS));
    try {
      return await probe(t);
    } finally {
      await t.dispose(AbortSignal.timeout(CLEAN_UP_MS));
    }
  });
}

interface Run {
  readonly environment: Environment;
  /** Extensions that the server has. */
  readonly extensions: ReadonlySet<Extension>;
  readonly target: ProxyTarget;
  readonly signal: AbortSignal | undefined;
}

async function runTest(
  { section, test }: Planned,
  { environment, extensions, target, signal }: Run,
): Promise<TestResult> {
  const { title, requirements } = test;
  const identity = { section, title, requirements };
  if (signal?.aborted)
    return { ...identity, status: 'skipped', reason: 'the run was canceled', milliseconds: 0 };
  const lacking = (test.needs ?? []).filter((extension) => !extensions.has(extension));
  if (lacking.length > 0) {
    const verdict = target.extensions === undefined ? 'the server does not have' : 'not asked for';
    const reason = `${verdict}: ${lacking.join(', ')} (an extension)`;
    return { ...identity, status: 'skipped', reason, milliseconds: 0 };
  }
  const startedAt = performance.now();
  const limitMs = test.slow ? SLOW_LIMIT_MS : LIMIT_MS;
  const limit = AbortSignal.timeout(limitMs);
  const over = signal ? AbortSignal.any([limit, signal]) : limit;
  const t = new TestTools(environment, over);
  const outcome = await attempt(() => Promise.race([test.run(t), rejectOn(over, limitMs)]));
  await t.dispose(AbortSignal.timeout(CLEAN_UP_MS));
  return { ...identity, ...outcome, milliseconds: performance.now() - startedAt };
}

async function attempt(run: () => Promise<void>): Promise<Pick<TestResult, 'status' | 'reason' | 'error'>> {
  try {
    await run();
    return { status: 'passed' };
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    if (error instanceof Skipped) return { status: 'skipped', reason: error.message };
    return { status: 'failed', reason: error.message, error };
  }
}

function rejectOn(signal: AbortSignal, limitMs: number): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error(`not finished within ${limitMs / 1000} s`)), {
      once: true,
    });
  });
}
