import type { IncomingMessage } from 'node:http';
import type { Keyring } from './keyring.ts';

/**
 * Creates the check of the service secret for pages: browsers send it as the password of HTTP Basic (RFC 7617), with any
 * user name. `Authorization: Bearer` is accepted as well.
 */
export function createOperatorCheck(
  keyring: Keyring,
  acceptJwtSecret: boolean,
): (req: Pick<IncomingMessage, 'headers'>) => boolean {
  return ({ headers }) => {
    const [, scheme = '', credential = ''] =
      /^(basic|bearer) +(.+)$/i.exec(headers.authorization ?? '') ?? [];
    const secret = scheme.toLowerCase() === 'basic' ? passwordOf(credential) : credential;
    if (secret === '') return false;
    return keyring.isServiceSecret(secret) || (acceptJwtSecret && keyring.isSecret(secret));
  };
}

function passwordOf(credential: string): string {
  const text = Buffer.from(credential, 'base64').toString();
  return text.slice(text.indexOf(':') + 1);
}
