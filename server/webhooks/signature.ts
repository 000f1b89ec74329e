import { createHmac } from 'node:crypto';
import { ConfigurationError } from '../shared/errors.ts';

const PREFIX = 'whsec_';
/** Bytes of a key, as Standard Webhooks 1.0 recommends ("Signature scheme"). */
const MIN_KEY_BYTES = 24;
const MAX_KEY_BYTES = 64;
const EXAMPLE = "webhook: { url: 'https://app.example.com/hooks', secret: process.env.WEBHOOK_SECRET }";

/**
 * Returns the key of a webhook secret.
 * @param secret `whsec_` and 24 to 64 bytes in base64.
 * @throws ConfigurationError for anything else.
 */
export function webhookKey(secret: unknown): Buffer {
  const encoded = typeof secret === 'string' && secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : '';
  const key = Buffer.from(encoded, 'base64');
  const isExact = key.toString('base64').replace(/=+$/, '') === encoded.replace(/=+$/, '');
  if (isExact && key.length >= MIN_KEY_BYTES && key.length <= MAX_KEY_BYTES) return key;
  throw new ConfigurationError(
    `webhook.secret must be "whsec_" followed by ${MIN_KEY_BYTES} to ${MAX_KEY_BYTES} bytes in base64. ` +
      `Create one with: echo "whsec_$(openssl rand -base64 32)". Example: ${EXAMPLE}`,
  );
}

/** One message of a webhook. */
export interface WebhookMessage {
  /** Stays the same for all attempts, so that a receiver recognizes a repeated message. */
  readonly id: string;
  /** Unix time of the attempt, in seconds. */
  readonly timestamp: number;
  readonly body: string;
}

/** Returns the headers that authenticate a message (Standard Webhooks 1.0, "Signature scheme"). */
export function webhookHeaders(key: Buffer, { id, timestamp, body }: WebhookMessage): Record<string, string> {
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': `v1,${signature}`,
  };
}
