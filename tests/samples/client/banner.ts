import { createDurableFetch, type DurableFetch } from 'durable-proxy/client';

export function withBanner(proxyUrl: string, banner: HTMLElement): DurableFetch {
  // #region
  const durableFetch = createDurableFetch({
    proxyUrl,
    onResumption: ({ status, attempt }) => {
      banner.textContent = status === 'reconnecting' ? `Connection lost, attempt ${attempt} …` : '';
    },
  });
  // #endregion
  return durableFetch;
}
