/** Entry point `durable-proxy/react/status`: shows the state of an answer. Requires React only. */
export { StreamStatus, type StreamStatusProps } from './StreamStatus.tsx';
export type {
  RefusedRequest,
  ResumptionReason,
  ResumptionWord,
  ResumptionWords,
} from './resumption-words.ts';
export { useResumption, type ResumptionView } from './useResumption.ts';
export type { ResumptionSource } from '../core-client/transports/resumption-store.ts';
export * from '../core-client/public-errors.ts';
export type * from '../core-client/types.ts';
export { OUTCOMES, type Outcome } from '../protocol/outcomes.ts';
export type { FormatName, Usage } from '../protocol/usage.ts';
