import type { Authenticate } from '../auth/service.ts';
import { ConfigurationError } from '../shared/errors.ts';
import type { OnEvent } from '../shared/events.ts';
import type { CorsOptions } from '../http/cors-options.ts';
import { silentLogger, type Logger } from '../shared/logger.ts';
import type { DurableProxyOptions, PrepareUpstream, ProxyServerOptions } from '../options.ts';
import { geminiInteractionsRecovery } from '../recovery/gemini-interactions.ts';
import { openaiResponsesRecovery } from '../recovery/openai-responses.ts';
import type { UpstreamRecovery } from '../recovery/types.ts';
import type { StreamStore } from '../store/types.ts';
import { DEFAULT_DROP_REQUEST_HEADERS } from '../upstream/headers.ts';
import type { Telemetry } from '../telemetry/types.ts';
import type { UpstreamDispatcher } from '../upstream/outbound.ts';
import type { ExposeUpstreamHeaders } from '../upstream/response-headers.ts';
import { checkWebhook, type WebhookOptions } from '../webhooks/options.ts';
import { checkNames, type OptionTable } from '../shared/check-options.ts';
import {
  callback,
  copyStrings,
  flag,
  isObject,
  limit,
  list,
  milliseconds,
  missingMethods,
  number,
  oneOf,
  required,
  strings,
  text,
  withMethods,
  wrongPart,
  wrongType,
  type OptionSpec,
} from '../shared/option-spec.ts';

/** `createKeyring` validates the secret and rejects an absent one. */
const JWT_SECRET = required((_name, value) => value as string | readonly string[]);

const LOGGER: OptionSpec<Logger, Logger> = {
  ...withMethods<Logger>(['debug', 'info', 'warn', 'error'], 'pino()'),
  fallback: silentLogger, // replaced for each proxy by `resolveOptions`
};

const CORS_NAMES: Readonly<Record<keyof CorsOptions, true>> = {
  origin: true,
  methods: true,
  allowedHeaders: true,
  exposedHeaders: true,
  credentials: true,
  maxAge: true,
  preflightContinue: true,
  optionsSuccessStatus: true,
};

const CORS: OptionSpec<CorsOptions | false, CorsOptions> = {
  fallback: {},
  check(name, value) {
    const example = `${name}: { origin: 'https://app.example.com' }`;
    if (value !== false && !isObject(value))
      throw wrongType(name, "false or options of the package 'cors'", value, example);
    // A misspelled `origin` would otherwise allow every origin.
    if (value !== false) checkNames(name, Object.keys(CORS_NAMES), value, example);
    return value as CorsOptions | false;
  },
};

const EXPOSED: OptionSpec<ExposeUpstreamHeaders, 'all'> = {
  fallback: 'all',
  check(name, value) {
    if (value === 'all' || value === 'none') return value;
    return copyStrings(name, value, "'all', 'none' or a list of header names", `${name}: ['x-request-id']`);
  },
};

const PUBLIC_URL: OptionSpec<string, undefined> = {
  fallback: undefined,
  check(name, value) {
    const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined;
    if (url && /^https?:$/.test(url.protocol) && !url.search && !url.hash)
      return url.href.replace(/\/+$/, '');
    const example = `${name}: 'https://chat.example.com/v1/proxy'`;
    throw wrongType(name, 'the absolute URL of the mount', value, example);
  },
};

const BASE_PATH: OptionSpec<string, undefined> = {
  fallback: undefined,
  check(name, value) {
    if (typeof value === 'string' && /^\/(?!\/)[^?#\s\\]*$/.test(value)) return value.replace(/\/+$/, '');
    const example = `${name}: '/v1/proxy'`;
    throw wrongType(name, 'the path of the mount, beginning with one slash', value, example);
  },
};

const WEBHOOK: OptionSpec<WebhookOptions, undefined> = {
  fallback: undefined,
  check(name, value) {
    if (isObject(value)) return checkWebhook(value);
    const example = `${name}: { url: 'https://app.example.com/hooks', secret: process.env.WEBHOOK_SECRET }`;
    throw wrongType(name, 'an object with url and secret', value, example);
  },
};

const RECOVERY: OptionSpec<readonly UpstreamRecovery[], readonly UpstreamRecovery[]> = {
  fallback: Object.freeze([openaiResponsesRecovery(), geminiInteractionsRecovery()]),
  check(name, value) {
    const example = `${name}: [openaiResponsesRecovery(), lastEventIdRecovery({ match: 'https://agents.example.com/**' })]`;
    if (!Array.isArray(value)) throw wrongType(name, 'a list of recoveries', value, example);
    const recoveries = value.map((one: unknown, index) => {
      const missing = missingMethods(one, ['matches', 'resume'] satisfies (keyof UpstreamRecovery)[]);
      if (missing === undefined) return one as UpstreamRecovery;
      throw wrongPart(name, 'a list of recoveries', `entry ${index} ${missing}`, example);
    });
    const names = recoveries.map((one) => one.name);
    const isNamed = names.every((own) => typeof own === 'string' && own !== '');
    if (isNamed && new Set(names).size === names.length) return Object.freeze(recoveries);
    throw new ConfigurationError(`Each recovery in ${name} must have a unique name. Example: ${example}`);
  },
};

/**
 * Every option of `durableProxy`: its validation and default. Each option with `help` becomes a command line flag.
 * `satisfies` makes a missing entry a compile error.
 */
export const PROXY_OPTIONS = {
  jwtSecret: JWT_SECRET,
  acceptJwtSecret: flag(true),
  acceptLegacyTokens: flag(false),
  allowlist: list("['https://api.openai.com/**']"),

  store: withMethods<StreamStore>(
    ['open', 'create', 'append', 'close', 'read', 'follow', 'head', 'delete', 'dispose'],
    "redisStore({ url: 'redis://localhost:6379' })",
  ),
  dataDir: text("'/var/lib/my-app/streams'"),
  durability: oneOf(['disk', 'process']),
  durableStreamsUrl: text("'https://streams.example.com/v1/my-app'"),
  durableStreamsHeaders: strings("{ authorization: 'Bearer …' }"),

  streamTtlSeconds: limit({
    fallback: 86_400,
    unit: 'seconds',
    flag: 'ttl',
    help: 'how long a stream is kept after its last read or write',
  }),
  urlExpirationSeconds: limit({
    fallback: 86_400,
    unit: 'seconds',
    flag: 'url-expiration',
    help: 'how long a signed URL is valid',
  }),
  maxResponseBytes: limit({
    fallback: 104_857_600,
    min: 0,
    unit: 'bytes',
    help: 'longest response body that is stored',
  }),
  maxRequestBytes: limit({ fallback: 33_554_432, min: 0, unit: 'bytes', help: 'longest request body' }),
  requestBodyTimeoutMs: milliseconds({ fallback: 300_000, help: 'time for a request body to arrive' }),
  maxStoredBytes: limit({ fallback: Infinity, unit: 'bytes', help: 'maximum bytes stored in total' }),
  maxStoredBytesPerSubject: limit({
    fallback: Infinity,
    unit: 'bytes',
    help: 'maximum bytes stored for one subject',
  }),
  maxErrorBytes: limit({
    fallback: 65_536,
    min: 0,
    unit: 'bytes',
    help: 'longest body of an upstream error that is passed on',
  }),
  maxConcurrentStreams: limit({ fallback: 10_000, help: 'maximum responses in progress in this process' }),
  maxConcurrentStreamsPerSubject: limit({
    fallback: 100,
    help: 'maximum responses in progress for one subject',
  }),
  upstreamHeadersTimeoutMs: milliseconds({
    fallback: 60_000,
    help: "time to wait for an upstream's headers",
  }),
  upstreamHeadersTotalTimeoutMs: milliseconds({
    fallback: 600_000,
    help: "time to wait for an upstream's headers under an Idempotency-Key",
  }),
  upstreamHeadersAsyncTimeoutMs: milliseconds({
    fallback: 600_000,
    help: "time to wait for an upstream's headers under Prefer: respond-async",
  }),
  upstreamInactivityTimeoutMs: milliseconds({
    fallback: 600_000,
    help: "longest silence in an upstream's body",
  }),
  recovery: RECOVERY,
  recoveryTimeoutMs: milliseconds({
    fallback: 120_000,
    help: 'time without a new event after which a broken stream is given up',
  }),
  upstreamLingerMs: milliseconds({
    fallback: 2_000,
    help: 'time that an upstream may keep its connection open after the end of an answer',
  }),
  completeness: { ...oneOf(['auto', 'off']), fallback: 'auto' as const },
  unreadTimeoutMs: limit({
    fallback: Infinity,
    unit: 'ms',
    help: 'time that an answer continues without a reader',
  }),
  maxReadBytes: limit({
    fallback: 4_194_304,
    unit: 'bytes',
    help: 'maximum bytes of one catch-up or long-poll response',
  }),
  maxReadBufferBytes: limit({
    fallback: 268_435_456,
    unit: 'bytes',
    help: 'bytes of catch-up and long-poll responses buffered for their clients',
  }),
  longPollTimeoutMs: milliseconds({ fallback: 20_000, help: 'time that a long-poll waits for bytes' }),
  keepAliveMs: milliseconds({
    fallback: 15_000,
    help: 'time between keep-alive comments of an idle SSE read',
  }),
  readerStallTimeoutMs: milliseconds({
    fallback: 120_000,
    help: 'time after which a reader that accepts no bytes is disconnected',
  }),
  maxReaders: limit({ fallback: 20_000, help: 'maximum reads in progress in a process' }),
  maxReadersPerStream: limit({
    fallback: 1_000,
    min: 1,
    help: 'maximum reads in progress of one stream in a process',
  }),

  allowPrivateNetworks: flag(false),
  dispatcher: withMethods<UpstreamDispatcher>(
    ['dispatch'],
    "new ProxyAgent('http://proxy.example.com:3128')",
  ),
  dropRequestHeaders: { ...list("['x-internal-*', 'x-real-ip']"), fallback: DEFAULT_DROP_REQUEST_HEADERS },
  exposeUpstreamHeaders: EXPOSED,
  authenticate: callback<Authenticate>('async (req) => ({ subject: await userIdOf(req) })'),
  prepareUpstream: callback<PrepareUpstream>(
    "({ headers }) => headers.set('authorization', `Bearer ${key}`)",
  ),
  publicUrl: PUBLIC_URL,
  basePath: BASE_PATH,
  cors: CORS,
  webhook: WEBHOOK,
  logger: LOGGER,
  onEvent: callback<OnEvent>('(event) => console.log(event)'),
  telemetry: withMethods<Telemetry>(['onEvent', 'onAppend', 'create', 'request'], 'openTelemetry()'),
  onAppend: callback<(ms: number) => void>('(ms) => histogram.record(ms)'),
} as const satisfies OptionTable & Record<keyof DurableProxyOptions, unknown>;

/** Options that only `createProxyServer` has. */
export const SERVER_OPTIONS = {
  port: number({ fallback: 4440, min: 0, max: 65_535, help: 'port to listen on; 0 selects a free one' }),
  host: { ...text("'0.0.0.0'"), fallback: 'localhost' },
  keepAliveTimeoutMs: milliseconds({
    fallback: 75_000,
    help: 'time for which an idle connection stays open',
  }),
  maxHeaderSize: number({
    fallback: 65_536,
    min: 1_024,
    max: 16_777_216,
    unit: 'bytes',
    help: 'maximum size of the target and headers of a request',
  }),
  metrics: flag(false),
  inspector: flag(false),
} as const satisfies OptionTable &
  Record<Exclude<keyof ProxyServerOptions, keyof DurableProxyOptions>, unknown>;
