import type { TestApi } from '../test-api.ts';
import { describeClaims } from './claims.ts';
import { describeNames } from './names.ts';
import { describeOutbox } from './outbox.ts';
import { describeProcesses } from './processes.ts';
import { suiteOf, type CoordinationFactory, type CoordinationOptions } from './support.ts';

/**
 * Adds tests of the whole contract of `Coordinator`. Takes about a minute, because leases and taken tasks have to
 * expire.
 *
 * @param api the functions of your test runner.
 * @param name name of the implementation, for the titles.
 * @param factory creates processes on an empty store of their own; called once for each group of tests.
 * @param options properties of the store that the tests depend on.
 * @example
 * import * as vitest from 'vitest';
 * describeCoordinator(vitest, 'my coordinator', async (ttlSeconds) => …);
 */
export function describeCoordinator(
  api: TestApi,
  name: string,
  factory: CoordinationFactory,
  options: CoordinationOptions = {},
): void {
  const suite = suiteOf(api, factory, options);
  api.describe(`${name} keeps the contract of a coordinator`, () => {
    describeProcesses(suite);
    describeClaims(suite);
    describeNames(suite);
    describeOutbox(suite);
  });
}
