export { StreamStatus, type StreamStatusProps } from './StreamStatus.tsx';
export { useDurableChat, type UseDurableChatHelpers, type UseDurableChatOptions } from './useDurableChat.ts';
export {
  useDurableFetch,
  type DurableFetchStatus,
  type UseDurableFetchOptions,
  type UseDurableFetchResult,
} from './useDurableFetch.ts';
export { useResumption, type ResumptionView, type ResumptionWords } from './useResumption.ts';
