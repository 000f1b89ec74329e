import type { DurableRequestInit } from 'durable-proxy/client';
// #region
import { createDurableFetch, isDurableNetworkError, isDurableStreamError } from 'durable-proxy/client';

const durableFetch = createDurableFetch({ proxyUrl: '/v1/proxy' });
// #endregion

export interface App {
  readonly read: (body: ReadableStream<Uint8Array>) => Promise<void>;
  readonly showProviderError: (error: unknown) => void;
  readonly offerToContinue: () => void;
  readonly offerToTryAgain: (outcome: string | undefined) => void;
}

export async function ask(
  url: string,
  init: DurableRequestInit,
  { read, showProviderError, offerToContinue, offerToTryAgain }: App,
): Promise<void> {
  // #region
  // `url` and `init` are your request. `read`, `showProviderError` and the offers are your functions.
  try {
    const response = await durableFetch(url, init);
    if (response.ok) await read(response.body!);
    else showProviderError(await response.json());
  } catch (error) {
    if (isDurableNetworkError(error))
      offerToContinue(); // The same call resumes the answer, if it has a requestId.
    else if (isDurableStreamError(error))
      offerToTryAgain(error.outcome); // The same call creates a new answer.
    else throw error;
  }
  // #endregion
}
