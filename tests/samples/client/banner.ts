import { createDurableFetch, type DurableFetch } from 'durable-proxy/client';

export function withBanner(proxyUrl: string, banner: HTMLElement): DurableFetch {
  // #region
  const durableFetch = createDurableFetch({
    proxyUrl,
    onResumption: ({ status }) => {
      banner.textContent = status === 'reconnecting' ? 'Connection lost. Reconnecting …' : '';
    },
  });
  // #endregion
  return durableFetch;
}
