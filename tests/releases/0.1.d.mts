import type { ProxyServer, StreamStore } from '../../server/index.ts';

/** What version 0.1 exports. Its stores have neither `annotate` nor `adopt`. */
export function createProxyServer(options: Readonly<Record<string, unknown>>): Promise<ProxyServer>;
export function redisStore(options: { readonly url: string }): StreamStore;
export function embeddedStore(options: { readonly dataDir: string }): StreamStore;
