import type { StreamStore } from '../../store/types.ts';
import type { TestApi } from '../test-api.ts';
import { describeAnnotate } from './annotate.ts';
import { describeCreate } from './create.ts';
import { describeDelete } from './delete.ts';
import { describeEnd } from './end.ts';
import { describeFence } from './fence.ts';
import { describeFollow } from './follow.ts';
import { describeLog } from './log.ts';
import { describeMany } from './many.ts';
import { describeOffsets } from './offsets.ts';
import { describeReopen } from './reopen.ts';
import { suiteOf } from './suite.ts';
import type { StoreFactory } from './support.ts';
import { describeTtl } from './ttl.ts';

/**
 * Adds tests of the whole contract of `ByteStore`. Takes about ten seconds, because streams have to expire.
 *
 * @param api the functions of your test runner.
 * @param name name of the store, for the titles.
 * @param factory opens an empty store; called once for each group of tests.
 * @param without optional methods that the store does not have: their tests are omitted. Default: none.
 * @example
 * import * as vitest from 'vitest';
 * describeByteStore(vitest, 'my store', async () => …);
 */
export function describeByteStore(
  api: TestApi,
  name: string,
  factory: StoreFactory,
  without: readonly (keyof StreamStore & ('annotate' | 'adopt'))[] = [],
): void {
  const suite = suiteOf(api, factory);
  api.describe(`${name} keeps the contract of a store`, () => {
    describeCreate(suite);
    if (!without.includes('annotate')) describeAnnotate(suite);
    describeLog(suite);
    describeOffsets(suite);
    describeEnd(suite);
    if (!without.includes('adopt')) describeFence(suite);
    describeFollow(suite);
    describeDelete(suite);
    describeTtl(suite);
    describeMany(suite);
    describeReopen(suite);
  });
}
