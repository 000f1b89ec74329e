import { ConfigurationError } from '../shared/errors.ts';
import type { DurableProxyOptions, ProxyServerOptions } from '../options.ts';
import { faultLogger, guardedLogger } from '../shared/logger.ts';
import { checkNames, checkOptions, type Checked } from '../shared/check-options.ts';
import { isObject } from '../shared/option-spec.ts';
import { PROXY_OPTIONS, SERVER_OPTIONS } from './table.ts';

/** The validated options of the proxy: frozen, with all defaults. */
export type ResolvedOptions = Checked<typeof PROXY_OPTIONS>;

const EXAMPLE = "{ jwtSecret: process.env.JWT_SECRET, allowlist: ['https://api.openai.com/**'] }";

/**
 * Checks the options of `durableProxy` and fills in defaults.
 * @param functionName the function that was called, for error messages.
 * @throws ConfigurationError with a valid example.
 */
export function resolveOptions(options: DurableProxyOptions, functionName = 'durableProxy'): ResolvedOptions {
  rejectServerOptions(functionName, options);
  const resolved = checkOptions(functionName, PROXY_OPTIONS, options, `${functionName}(${EXAMPLE})`);
  const { store, durableStreamsUrl, dataDir } = resolved;
  if ([store, durableStreamsUrl, dataDir].filter((each) => each !== undefined).length > 1) {
    throw new ConfigurationError(
      'Set only one of store, durableStreamsUrl and dataDir: each selects a store',
    );
  }
  // Created per proxy, because the logger remembers which messages it has printed.
  const logger = options.logger ? guardedLogger(options.logger) : faultLogger();
  return Object.freeze({ ...resolved, logger });
}

/** @throws ConfigurationError for an option that only `createProxyServer` has, which resembles others by chance. */
function rejectServerOptions(functionName: string, options: unknown): void {
  if (!isObject(options)) return;
  const name = Object.keys(options).find((each) => Object.hasOwn(SERVER_OPTIONS, each));
  if (name !== undefined)
    throw new ConfigurationError(
      `${functionName} has no option "${name}". It is an option of createProxyServer`,
    );
}

/**
 * Checks the options of `createProxyServer` and separates its own options from those of the proxy.
 * @throws ConfigurationError for an unknown name of either kind.
 */
export function resolveServerOptions(
  options: ProxyServerOptions,
): Checked<typeof SERVER_OPTIONS> & { readonly proxyOptions: DurableProxyOptions } {
  const functionName = 'createProxyServer';
  const names = [...Object.keys(PROXY_OPTIONS), ...Object.keys(SERVER_OPTIONS)];
  checkNames(functionName, names, options, `${functionName}(${EXAMPLE})`);
  const of = (table: object) =>
    Object.fromEntries(Object.entries(options).filter(([name]) => Object.hasOwn(table, name)));
  return {
    ...checkOptions(functionName, SERVER_OPTIONS, of(SERVER_OPTIONS), EXAMPLE),
    proxyOptions: of(PROXY_OPTIONS) as unknown as DurableProxyOptions,
  };
}
