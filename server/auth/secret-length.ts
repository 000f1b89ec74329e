import type { Logger } from '../shared/logger.ts';
import { CREATE_SECRET, type Keyring } from './keyring.ts';

/** HS256 requires a key of at least 256 bits (RFC 7518, section 3.2). */
const MIN_BYTES = 32;

/**
 * Logs a warning if one of the secrets is shorter than 32 bytes. Such a secret is accepted, because tests and local
 * setups use them. The entry contains neither the secret nor its length.
 */
export function warnOfShortSecret({ tokenKeys }: Keyring, logger: Logger): void {
  if (tokenKeys.every(({ length }) => length >= MIN_BYTES)) return;
  logger.warn(
    { code: 'SHORT_SECRET' },
    `jwtSecret is shorter than ${MIN_BYTES} bytes, so it may be guessed. ${CREATE_SECRET}`,
  );
}
