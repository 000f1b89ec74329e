/** Entry point `durable-proxy/tokens`: creates credentials and signed URLs without loading the proxy. */
export { deriveServiceSecret } from './auth/keyring.ts';
export { createServiceToken, type ServiceTokenOptions } from './auth/tokens.ts';
export { signStreamUrl, type SignStreamUrlOptions } from './auth/signed-url.ts';
export { ConfigurationError } from './shared/errors.ts';
