import type { Call } from './call.ts';
import type { CredentialStore } from './credentials.ts';
import type { ProxyClient } from './proxy-client.ts';
import type { Settings } from './settings.ts';

/** What the client has learnt of its proxy. */
export interface ProxyTraits {
  /** It knows no keys: a POST whose answer got lost may have been paid for, and is not repeated. */
  isPlain: boolean;
}

/** What everything that one call does has at hand. */
export interface Context {
  readonly call: Call;
  readonly settings: Settings;
  readonly proxy: ProxyClient;
  readonly store: CredentialStore;
  readonly traits: ProxyTraits;
}
