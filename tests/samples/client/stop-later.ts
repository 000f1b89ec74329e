import type { DurableResponse } from 'durable-proxy/client';
// #region
import { createAbortFn } from 'durable-proxy/client';
// #endregion

export function remember(response: DurableResponse): void {
  // #region
  // `response` is the result of a call of durableFetch.
  sessionStorage.setItem('stream', response.streamUrl!);
  // #endregion
}

export async function stop(): Promise<void> {
  // #region
  // After a reload:
  const streamUrl = sessionStorage.getItem('stream');
  if (streamUrl !== null) await createAbortFn(streamUrl)();
  // #endregion
}
