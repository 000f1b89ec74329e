import type { ErrorCode } from '../../protocol/errors.ts';
import { ProxyError } from '../shared/errors.ts';

type UnauthorizedCode = Extract<
  ErrorCode,
  'MISSING_SECRET' | 'INVALID_SECRET' | 'MISSING_SIGNATURE' | 'SIGNATURE_EXPIRED' | 'SIGNATURE_INVALID'
>;

/**
 * A 401. It names the scheme that would do (RFC 9110, section 11.6.1), and for a credential that was refused
 * the reason in the scheme's own word (RFC 6750, section 3.1).
 */
export function unauthorized(code: UnauthorizedCode, message: string): ProxyError {
  const challenge = code === 'INVALID_SECRET' ? 'Bearer error="invalid_token"' : 'Bearer';
  return new ProxyError(code, message, { headers: { 'WWW-Authenticate': challenge } });
}
