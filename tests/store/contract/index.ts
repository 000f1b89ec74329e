import * as vitest from 'vitest';
import { describeByteStore } from '../../../server/testing/byte-store/index.ts';
import type { StoreFactory } from '../../../server/testing/byte-store/support.ts';
import { describeModel } from './model.ts';

/** Adds the contract suite, and random steps that are compared with a model. */
export function describeStore(name: string, factory: StoreFactory): void {
  describeByteStore(vitest, name, factory);
  describeModel(name, factory);
}
