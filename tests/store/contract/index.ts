import { describe } from 'vitest';
import { describeAnnotate } from './annotate.ts';
import { describeCreate } from './create.ts';
import { describeDelete } from './delete.ts';
import { describeEnd } from './end.ts';
import { describeFence } from './fence.ts';
import { describeFollow } from './follow.ts';
import { describeLog } from './log.ts';
import { describeMany } from './many.ts';
import { describeModel } from './model.ts';
import { describeOffsets } from './offsets.ts';
import { describeReopen } from './reopen.ts';
import type { StoreFactory } from './support.ts';
import { describeTtl } from './ttl.ts';

export type { StoreFactory, StoreOptions, StoreUnderTest } from './support.ts';

/** What every `StreamStore` promises, as tests. Each section opens a store of its own through the factory. */
export function describeStore(name: string, factory: StoreFactory): void {
  describe(`${name} keeps the contract of a store`, () => {
    describeCreate(factory);
    describeAnnotate(factory);
    describeLog(factory);
    describeOffsets(factory);
    describeEnd(factory);
    describeFence(factory);
    describeFollow(factory);
    describeDelete(factory);
    describeTtl(factory);
    describeMany(factory);
    describeReopen(factory);
    describeModel(factory);
  });
}
