export { describeByteStore } from './byte-store/index.ts';
export type { StoreFactory, StoreOptions, StoreUnderTest } from './byte-store/support.ts';
export { describeCoordinator } from './coordinator/index.ts';
export type {
  CoordinationFactory,
  CoordinationOptions,
  CoordinationUnderTest,
  ProcessUnderTest,
} from './coordinator/support.ts';
export type { TestApi, TestFunction } from './test-api.ts';
export type * from '../store/types.ts';
export type * from '../coordination/types.ts';
export type { Logger } from '../shared/logger.ts';
export { OUTCOMES, type Outcome, type OutcomeError } from '../../protocol/outcomes.ts';
export type { FormatName, Usage } from '../../protocol/usage.ts';
