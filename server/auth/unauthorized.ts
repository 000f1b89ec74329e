import type { ErrorCode } from '../../protocol/errors.ts';
import { ProxyError } from '../shared/errors.ts';

type UnauthorizedCode = Extract<
  ErrorCode,
  'MISSING_SECRET' | 'INVALID_SECRET' | 'MISSING_SIGNATURE' | 'SIGNATURE_EXPIRED' | 'SIGNATURE_INVALID'
>;

/**
 * Creates a 401. It has the required scheme (RFC 9110, section 11.6.1) and, for a rejected credential, the reason as an
 * error code of that scheme (RFC 6750, section 3.1).
 */
export function unauthorized(code: UnauthorizedCode, message: string): ProxyError {
  const challenge = code === 'INVALID_SECRET' ? 'Bearer error="invalid_token"' : 'Bearer';
  return new ProxyError(code, message, { headers: { 'WWW-Authenticate': challenge } });
}
