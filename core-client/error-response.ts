import { retryAfter } from './backoff.ts';

/** Contents of an error response of the proxy or a provider. */
export interface ErrorDetails {
  /** Message of the proxy or the provider. Plain text, never JSON or HTML. */
  readonly message: string;
  /** The code of the proxy (`UPSTREAM_NOT_ALLOWED`) or the provider (`rate_limit_error`); undefined without one. */
  readonly code: string | undefined;
  readonly status: number;
  /** Milliseconds after which the server asks to try again; undefined if it does not say. */
  readonly retryAfterMs: number | undefined;
}

/** Longest plain-text body used as a message, in characters. */
const MAX_TEXT = 500;

/**
 * Reads the message, code and retry time of an error response. Understands the error bodies of the proxy, OpenAI,
 * Anthropic, Google, the AI SDK and plain text.
 * @param text the body.
 */
export function readErrorResponse({ status, headers }: Response, text: string): ErrorDetails {
  const { message, code } = parse(text);
  return {
    message: message ?? `The request failed with status ${status}`,
    code,
    status,
    retryAfterMs: retryAfter(headers) || undefined,
  };
}

function parse(text: string): { message?: string | undefined; code?: string | undefined } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    const plain = text.trim();
    return /^[<{[]/.test(plain) || plain.length > MAX_TEXT ? {} : { message: textOf(plain) };
  }
  // Google sends an array with one error when the request asked for a stream.
  const [body] = Array.isArray(value) ? (value as unknown[]) : [value];
  const error = fieldOf(body, 'error') ?? body;
  // OpenAI and the proxy name the error in `code`, Anthropic in `type`, Google in `status` (its `code` is a number).
  const code = ['code', 'status', 'type'].map((name) => textOf(fieldOf(error, name))).find(Boolean);
  return { message: textOf(fieldOf(error, 'message')) ?? textOf(error), code };
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value ? value : undefined;
}
