import type { DurableFetchOptions, DurableRequestInit } from './types.ts';

const DEFAULTS = {
  autoResume: true,
  storagePrefix: 'durable-proxy',
  resumeFrom: 'start',
  reconnectTimeoutMs: 300_000,
  retryTimeoutMs: 30_000,
  heartbeatTimeoutMs: 30_000,
} as const satisfies Partial<DurableFetchOptions>;

/** The options of one call: those of its init, else those of the client, else the defaults. */
export type Settings = Omit<DurableRequestInit, 'fetch'> &
  DurableFetchOptions & {
    [K in keyof typeof DEFAULTS | 'storage']: NonNullable<DurableFetchOptions[K]>;
  };

/** Merges the options of a call. An option that is undefined in one source does not hide that of another. */
export function mergeSettings(
  storage: Settings['storage'],
  options: DurableFetchOptions,
  init: DurableRequestInit,
): Settings {
  const given = [options, init].flatMap(Object.entries);
  const settings = {
    storage,
    ...DEFAULTS,
    ...Object.fromEntries(given.filter(([, value]) => value !== undefined)),
  } as Settings;
  settings.streamKey ??= settings.requestId;
  return settings;
}
