import { parseArgs } from 'node:util';
import {
  geminiInteractionsRecovery,
  lastEventIdRecovery,
  openaiResponsesRecovery,
  type ProxyServerOptions,
} from 'durable-proxy';
import { NUMBER_FLAGS, type NumberFlag } from './number-flags.ts';
import { upstreamHeaders } from './upstream-headers.ts';
import { UsageError } from './usage-error.ts';

/** The parsed command line of the server. */
export interface ServeCommand {
  readonly kind: 'serve';
  readonly options: ProxyServerOptions;
  /** URL of a Redis or Valkey server that stores the streams. */
  readonly redis: string | undefined;
  readonly logLevel: LogLevel;
  /** Milliseconds to wait for running streams after SIGTERM or SIGINT. */
  readonly drainMs: number;
}

export type Command =
  | ServeCommand
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'conformance'; readonly args: readonly string[] };

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const FLAGS = {
  host: { type: 'string' },
  allow: { type: 'string', multiple: true },
  'upstream-header': { type: 'string', multiple: true },
  'allow-private-networks': { type: 'boolean' },
  'data-dir': { type: 'string' },
  durability: { type: 'string' },
  redis: { type: 'string' },
  'durable-streams-url': { type: 'string' },
  'durable-streams-header': { type: 'string', multiple: true },
  'public-url': { type: 'string' },
  'base-path': { type: 'string' },
  recover: { type: 'string', multiple: true },
  'no-recovery': { type: 'boolean' },
  'webhook-url': { type: 'string' },
  'cors-origin': { type: 'string', multiple: true },
  metrics: { type: 'boolean' },
  inspector: { type: 'boolean' },
  drain: { type: 'string' },
  'log-level': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const;

/**
 * Parses the arguments and the environment (`JWT_SECRET`, `PORT`, `WEBHOOK_SECRET`).
 * @throws UsageError with a valid example.
 */
export function parseCommand(args: readonly string[], env: NodeJS.ProcessEnv): Command {
  if (args[0] === 'conformance') return { kind: 'conformance', args: args.slice(1) };
  const flags = parseFlags(args);
  if (flags.help) return { kind: 'help' };
  if (flags.version) return { kind: 'version' };

  const backends = (['redis', 'durable-streams-url', 'data-dir'] as const).filter((name) => flags[name]);
  if (backends.length > 1) {
    throw new UsageError(`Use only one of --${backends.join(', --')}: each selects the store`);
  }
  const numbers = numberOptions(flags, env);
  return {
    kind: 'serve',
    redis: flags.redis,
    logLevel: oneOf('--log-level', flags['log-level'] ?? 'info', LOG_LEVELS),
    drainMs: flags.drain === undefined ? 10_000 : wholeNumber('--drain', flags.drain) * 1000,
    options: {
      jwtSecret: secrets(env['JWT_SECRET']),
      allowlist: flags.allow ?? [],
      ...numbers,
      ...(flags.host !== undefined && { host: flags.host }),
      ...(flags['allow-private-networks'] && { allowPrivateNetworks: true }),
      ...(flags['data-dir'] !== undefined && { dataDir: flags['data-dir'] }),
      ...(flags.durability !== undefined && {
        durability: oneOf('--durability', flags.durability, ['disk', 'process'] as const),
      }),
      ...(flags['durable-streams-url'] !== undefined && { durableStreamsUrl: flags['durable-streams-url'] }),
      ...(flags['durable-streams-header'] && {
        durableStreamsHeaders: Object.fromEntries(flags['durable-streams-header'].map(header)),
      }),
      ...(flags['public-url'] !== undefined && { publicUrl: flags['public-url'] }),
      ...(flags['base-path'] !== undefined && { basePath: flags['base-path'] }),
      ...(flags['cors-origin'] && { cors: { origin: flags['cors-origin'] } }),
      ...(flags['webhook-url'] !== undefined && {
        webhook: { url: flags['webhook-url'], secret: env['WEBHOOK_SECRET'] ?? '' },
      }),
      ...(flags.metrics && { metrics: true }),
      ...(flags.inspector && { inspector: true }),
      ...recoveryOption(flags.recover, flags['no-recovery']),
      ...(flags['upstream-header'] && { prepareUpstream: upstreamHeaders(flags['upstream-header'], env) }),
    },
  };
}

/** Returns the option `recovery` if a flag sets it. */
function recoveryOption(
  patterns: readonly string[] | undefined,
  isOff: boolean | undefined,
): Pick<ProxyServerOptions, 'recovery'> {
  if (isOff && patterns) throw new UsageError('Use --recover or --no-recovery, not both');
  if (isOff) return { recovery: [] };
  if (!patterns) return {};
  return {
    recovery: [
      openaiResponsesRecovery(),
      geminiInteractionsRecovery(),
      lastEventIdRecovery({ match: patterns }),
    ],
  };
}

function parseFlags(args: readonly string[]) {
  const numbers = Object.fromEntries(NUMBER_FLAGS.map(({ flag }) => [flag, { type: 'string' as const }]));
  try {
    const options = { ...numbers, ...FLAGS };
    return parseArgs({ args: [...args], options, allowPositionals: false, strict: true }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** Returns the numeric options that flags set, and the port of `$PORT`. */
function numberOptions(flags: Readonly<Record<string, unknown>>, env: NodeJS.ProcessEnv) {
  return Object.fromEntries(
    NUMBER_FLAGS.flatMap(({ option, flag, spec }) => {
      const text = flags[flag];
      if (typeof text === 'string') return [[option, numberOf(`--${flag}`, text, spec)]];
      // Some platforms set an empty variable.
      return option === 'port' && env['PORT'] ? [[option, numberOf('PORT', env['PORT'], spec)]] : [];
    }),
  ) as Partial<Pick<ProxyServerOptions, 'port'>>;
}

/** @param name the flag or environment variable, for the error. */
function numberOf(name: string, text: string, spec: NumberFlag['spec']): number {
  const value = text === 'Infinity' ? Infinity : wholeNumber(name, text);
  try {
    spec.check(name, value);
  } catch (error) {
    // Removes the example, which shows an option of `durableProxy`.
    throw new UsageError((error as Error).message.replace(/ Example: .*/, ''), { cause: error });
  }
  return value;
}

/** Commas separate the secrets of a rotation: base64 and hex contain no commas. */
function secrets(value: string | undefined): string[] {
  const list = (value ?? '').split(',').filter((secret) => secret !== '');
  if (list.length > 0) return list;
  throw new UsageError(
    'JWT_SECRET is not set. It is the service secret, and it signs URLs. Create one with\n\n' +
      '    export JWT_SECRET="$(openssl rand -base64 32)"\n',
  );
}

function wholeNumber(flag: string, text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new UsageError(`${flag} must be a whole number, not "${text}"`);
}

function oneOf<T extends string>(flag: string, text: string, values: readonly T[]): T {
  const value = values.find((each) => each === text);
  if (value !== undefined) return value;
  throw new UsageError(`${flag} must be one of ${values.join(', ')}, not "${text}"`);
}

function header(text: string): [string, string] {
  const [, name, value] = /^([^:\s]+):\s*(.*)$/.exec(text) ?? [];
  if (name !== undefined && value !== undefined) return [name, value];
  // The text itself may be a credential, so the message does not repeat it.
  throw new UsageError("--durable-streams-header must look like 'Authorization: Bearer …'");
}
