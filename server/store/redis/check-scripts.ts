import { ConfigurationError } from '../../shared/errors.ts';
import type { Connection } from './connection.ts';
import { replyCode } from './failures.ts';
import { keysOf } from './keys.ts';
import { scriptsFor } from './scripts.ts';

export interface ScriptCheck {
  readonly connection: Connection;
  /** Server version from `INFO`, for the message. */
  readonly info: string;
  readonly keyPrefix: string;
  readonly signal: AbortSignal;
}

/**
 * Runs one script of the store. Without this check, the store would open on servers that speak the Redis protocol but
 * run scripts differently (Dragonfly, KeyDB), and could then neither write nor read streams.
 *
 * @throws ConfigurationError if the server rejects the script; otherwise the error of the connection.
 */
export async function checkScripts({ connection, info, keyPrefix, signal }: ScriptCheck): Promise<void> {
  // The stream does not exist, so the script changes nothing.
  const { meta, log } = keysOf(keyPrefix, 'check');
  // This script has flags, reads, and contains commands of streams and of pub/sub.
  const { text } = scriptsFor(connection.publish).close;
  const args = ['', '0', '{}', '{}', ''];
  let reply;
  try {
    reply = await connection.send(meta, ['EVAL', text, '2', meta, log, 'token', 'check', ...args], signal);
  } catch (error) {
    if (replyCode(error) !== 'ERR') throw error;
    throw refusal(info, (error as Error).message);
  }
  if (!Array.isArray(reply) || String(reply[1]) !== 'NOT_FOUND') throw refusal(info, 'an unexpected reply');
}

function refusal(info: string, reason: string): ConfigurationError {
  const [, name = 'this server'] =
    (/^dragonfly_version:/m.test(info) && ['', 'Dragonfly']) || (/keydb/i.test(info) && ['', 'KeyDB']) || [];
  const [line = ''] = reason.split('\n');
  return new ConfigurationError(
    `redisStore: ${name} does not run the scripts of the store (${line.slice(0, 120)}). ` +
      'Use Redis 7 or later, or Valkey',
  );
}
