import { validateHeaderName, validateHeaderValue } from 'node:http';
import { ConfigurationError } from '../../shared/errors.ts';
import { checkOptions, type OptionTable } from '../../shared/check-options.ts';
import { limit, milliseconds, required, strings } from '../../shared/option-spec.ts';

/** Options of `durableStreamsStore`. */
export interface DurableStreamsStoreOptions {
  /** Base URL of the server, to which stream ids are appended: `https://streams.example.com/v1/my-app`. */
  readonly url: string | URL;
  /** Headers of each request, such as `{ authorization: 'Bearer …' }`. Never logged. Default none. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Maximum number of connections for short requests, which are kept alive. Live and streamed reads use their own.
   * Default 64.
   */
  readonly connections?: number;
  /** Maximum milliseconds of one attempt of a request. Default 10,000. */
  readonly requestTimeoutMs?: number;
  /** Milliseconds after which a request is no longer retried, and fails with `UNAVAILABLE`. Default 30,000. */
  readonly retryTimeoutMs?: number;
  /** Milliseconds without data in a live read after which the backend is polled. Default 5,000. */
  readonly silenceMs?: number;
  /**
   * Milliseconds that a closed stream may be without its outcome. After that, the closing process counts as dead, and
   * the outcome is `interrupted`. Default 5,000.
   */
  readonly outcomeGraceMs?: number;
}

export interface Config {
  readonly origin: string;
  /** Path of the base URL. Begins and ends with a slash. */
  readonly basePath: string;
  /** Headers of each request, with names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly connections: number;
  readonly requestTimeoutMs: number;
  readonly retryTimeoutMs: number;
  readonly silenceMs: number;
  readonly outcomeGraceMs: number;
}

/** @throws ConfigurationError with an example. Never contains the value of a header. */
export function parseOptions(options: DurableStreamsStoreOptions): Config {
  const { url, headers, ...numbers } = checkOptions(
    'durableStreamsStore',
    OPTIONS,
    options,
    "durableStreamsStore({ url: 'https://streams.example.com/v1/my-app' })",
  );
  return Object.freeze({
    ...numbers,
    origin: url.origin,
    basePath: url.pathname.endsWith('/') ? url.pathname : `${url.pathname}/`,
    headers: Object.freeze(parseHeaders(headers ?? {})),
  });
}

const OPTIONS = {
  url: required((_name, value) => parseUrl(value)),
  headers: strings("{ authorization: 'Bearer …' }"),
  connections: limit({ fallback: 64 }),
  requestTimeoutMs: milliseconds({ fallback: 10_000 }),
  retryTimeoutMs: milliseconds({ fallback: 30_000 }),
  silenceMs: milliseconds({ fallback: 5_000 }),
  outcomeGraceMs: milliseconds({ fallback: 5_000 }),
} as const satisfies OptionTable & Record<keyof DurableStreamsStoreOptions, unknown>;

function parseUrl(value: unknown): URL {
  const form = "Use a base URL such as 'https://streams.example.com/v1/my-app'";
  let url: URL;
  try {
    url = new URL(value as string | URL);
  } catch {
    throw new ConfigurationError(`durableStreamsUrl is not a URL. ${form}`);
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new ConfigurationError(`durableStreamsUrl is neither http nor https. ${form}`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new ConfigurationError(
      "durableStreamsUrl contains credentials. Use durableStreamsHeaders: { authorization: 'Bearer …' }",
    );
  }
  if (url.search !== '' || url.hash !== '') {
    throw new ConfigurationError(`durableStreamsUrl has a query or a fragment. ${form}`);
  }
  return url;
}

function parseHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const parsed: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    try {
      validateHeaderName(name);
      validateHeaderValue(name, value);
    } catch {
      throw new ConfigurationError(
        `durableStreamsHeaders has an invalid header ${JSON.stringify(name)}. Example: { authorization: 'Bearer …' }`,
      );
    }
    parsed[name.toLowerCase()] = value;
  }
  return parsed;
}
