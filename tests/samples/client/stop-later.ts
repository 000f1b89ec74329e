import { createAbortFn, type DurableResponse } from 'durable-proxy/client';

export function remember(response: DurableResponse): void {
  // #region
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
