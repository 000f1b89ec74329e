export { createAbortFn } from './abort.ts';
export { createDurableFetch } from './durable-fetch.ts';
export * from './public-errors.ts';
export { defaultStorage, MemoryStorage } from './storage.ts';
export type * from './types.ts';
export { OUTCOMES, type Outcome } from '../protocol/outcomes.ts';
export type { FormatName, Usage } from '../protocol/usage.ts';
