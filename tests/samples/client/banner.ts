// #region
import { createDurableFetch } from 'durable-proxy/client';
// #endregion

export function withBanner(banner: HTMLElement) {
  // #region
  // `banner` is an element of your page.
  const durableFetch = createDurableFetch({
    proxyUrl: '/v1/proxy',
    onResumption: ({ status }) => {
      banner.textContent = status === 'reconnecting' ? 'Connection lost. Reconnecting …' : '';
    },
  });
  // #endregion
  return durableFetch;
}
