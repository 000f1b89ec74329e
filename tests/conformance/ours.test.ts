import { afterAll, beforeAll, describe, it } from 'vitest';
import {
  listProxyConformance,
  runProxyConformance,
  type ProxyTarget,
  type TestResult,
} from 'durable-proxy/conformance';
import { withResolvers, type Resolvers } from '../support/with-resolvers.ts';
import { CONFORMANCE_SECRET, servers, type RunningServer } from './servers.ts';

/** Declares one vitest test for each test of the suite. The suite itself runs once, in its own order. */
function declare(start: () => Promise<RunningServer>): void {
  const results = new Map<string, Resolvers<TestResult>>();
  const key = (section: string, title: string) => `${section}: ${title}`;
  const planned = listProxyConformance();
  for (const { section, title } of planned) results.set(key(section, title), withResolvers());
  // A test that vitest does not run does not handle its promise.
  for (const { promise } of results.values()) promise.catch(() => undefined);
  const ending = new AbortController();
  let server: RunningServer | undefined;
  let run: Promise<unknown> | undefined;

  beforeAll(async () => {
    server = await start();
    run = runProxyConformance({
      ...server.target,
      signal: ending.signal,
      onResult: (result) => results.get(key(result.section, result.title))?.resolve(result),
    }).catch((error: unknown) => {
      for (const each of results.values()) each.reject(error);
    });
  });
  afterAll(async () => {
    // If vitest ran only some of the tests, this ends the others.
    ending.abort();
    await run;
    await server?.stop();
  });

  for (const { section, title } of planned) {
    it(key(section, title), { timeout: 120_000 }, async ({ skip }) => {
      const { status, reason, error } = await results.get(key(section, title))!.promise;
      if (status === 'skipped') skip(reason);
      if (status === 'failed') throw error ?? new Error(reason);
    });
  }
}

const url = process.env['PROXY_CONFORMANCE_URL'];

if (url !== undefined && url !== '') {
  const target: ProxyTarget = { url, secret: CONFORMANCE_SECRET, upstreamHost: 'localhost' };
  describe(`conformance of ${url}`, () => declare(async () => ({ target, stop: async () => undefined })));
} else {
  for (const { name, suite = describe, start } of servers) {
    suite(`conformance of our server over ${name}`, () => declare(start));
  }
}
