// #region
import { createDurableFetch } from 'durable-proxy/client';
import { del, get, keys, set } from 'idb-keyval';

// IndexedDB, which tabs and workers share.
const storage = {
  getItem: async (key: string) => (await get<string>(key)) ?? null,
  setItem: (key: string, value: string) => set(key, value),
  removeItem: (key: string) => del(key),
  keys: () => keys<string>(),
};
const durableFetch = createDurableFetch({ proxyUrl: '/v1/proxy', storage });
// #endregion

export { durableFetch };
