/** Everything of the device that the chat needs, so that tests can run it without one. */
export interface Device {
  /** `fetch` of `expo/fetch`, whose responses have a stream as their body. */
  readonly fetch: (url: string, init?: RequestInit) => Promise<unknown>;
  /** AsyncStorage. */
  readonly storage: {
    getItem(key: string): Promise<string | null>;
    setItem(key: string, value: string): Promise<void>;
    removeItem(key: string): Promise<void>;
    getAllKeys(): Promise<readonly string[]>;
  };
  /** Calls back when the app comes to the foreground, and returns a function that ends it. */
  readonly onForeground: (listener: () => void) => () => void;
  /** Calls back when the network is back, and returns a function that ends it. */
  readonly onOnline: (listener: () => void) => () => void;
}

/**
 * Returns the options of `useDurableChat` for a phone.
 * @param server origin of the app's server, such as `https://chat.example.com`. A phone has no relative URLs.
 * @param token returns the token of the signed-in user for the proxy.
 */
export function durableOptions(device: Device, server: string, token: () => Promise<string>) {
  return {
    api: `${server}/api/chat`,
    proxyUrl: `${server}/v1/proxy`,
    proxyAuthorization: token,
    storage: device.storage,
    fetch: ((input, init) => device.fetch(String(input), init)) as typeof fetch,
    wake(onWake: () => void) {
      const ends = [device.onForeground(onWake), device.onOnline(onWake)];
      return () => ends.forEach((end) => end());
    },
  };
}
