/** Entry point `durable-proxy/react/query`: single requests. Requires React and `@tanstack/react-query`. */
export {
  useDurableFetch,
  type DurableFetchStatus,
  type UseDurableFetchOptions,
  type UseDurableFetchResult,
} from './useDurableFetch.ts';
export type { ParseMode } from './parsers.ts';
export * from '../core-client/public-errors.ts';
export type * from '../core-client/types.ts';
export { OUTCOMES, type Outcome } from '../protocol/outcomes.ts';
export type { FormatName, Usage } from '../protocol/usage.ts';
