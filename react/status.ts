/** Entry point `durable-proxy/react/status`: shows the state of an answer. Requires React only. */
export { StreamStatus, type StreamStatusProps } from './StreamStatus.tsx';
export { useResumption, type ResumptionView, type ResumptionWords } from './useResumption.ts';
export type { ResumptionSource } from '../core-client/transports/resumption-store.ts';
export type * from '../core-client/types.ts';
export { OUTCOMES, type Outcome } from '../protocol/outcomes.ts';
