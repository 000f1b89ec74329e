import { ConfigurationError } from '../shared/errors.ts';
import { webhookKey } from './signature.ts';

/** Option `webhook` of the proxy. */
export interface WebhookOptions {
  /** `http` or `https` URL that receives a POST for every stream that closes. */
  readonly url: string;
  /** Signing secret: `whsec_` and 24 to 64 bytes in base64. Create one with `echo "whsec_$(openssl rand -base64 32)"`. */
  readonly secret: string;
  /** Headers of each request, such as `{ authorization: 'Bearer …' }`. */
  readonly headers?: Readonly<Record<string, string>>;
}

const EXAMPLE = "webhook: { url: 'https://app.example.com/hooks', secret: process.env.WEBHOOK_SECRET }";

/**
 * Checks the option `webhook`.
 * @throws ConfigurationError that names the field, and never shows the secret.
 */
export function checkWebhook(value: unknown): WebhookOptions {
  if (typeof value !== 'object' || value === null) throw wrong('must be an object');
  const { url, secret, headers, ...others } = value as Record<string, unknown>;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw wrong(`has no option "${unknown}". It has: url, secret, headers`);
  const parsed = typeof url === 'string' && URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed || !/^https?:$/.test(parsed.protocol)) throw wrong('needs url, an absolute http or https URL');
  if (parsed.username || parsed.password) throw wrong('must not have credentials in its url. Use headers');
  webhookKey(secret);
  return Object.freeze({
    url: parsed.href,
    secret: secret as string,
    ...(headers !== undefined && { headers: checkHeaders(headers) }),
  });
}

function checkHeaders(headers: unknown): Readonly<Record<string, string>> {
  try {
    return Object.freeze(Object.fromEntries(new Headers(headers as Record<string, string>)));
  } catch {
    throw wrong("needs headers as an object of strings, such as { authorization: 'Bearer …' }");
  }
}

const wrong = (reason: string) => new ConfigurationError(`webhook ${reason}. Example: ${EXAMPLE}`);
