import type { Device } from '../../../examples/expo-chat/durable.ts';

/** Returns the options with which the sample uses a phone's parts under their own names. */
export function phoneOptions({
  fetch: expoFetch,
  storage: AsyncStorage,
  onForeground,
  onOnline,
  getToken,
}: Device & { getToken: () => Promise<string> }) {
  // #region
  const options = {
    api: 'https://chat.example.com/api/chat',
    proxyUrl: 'https://chat.example.com/v1/proxy',
    proxyAuthorization: getToken,
    scope: 'user-1', // Id of the signed-in user.
    storage: AsyncStorage,
    fetch: ((input, init) => expoFetch(String(input), init)) as typeof fetch,
    wake(onWake: () => void) {
      const ends = [onForeground(onWake), onOnline(onWake)];
      return () => ends.forEach((end) => end());
    },
  };
  // #endregion
  return options;
}
