import { SignJWT, type JWTPayload } from 'jose';

export interface TokenOptions {
  readonly algorithm?: string;
  /** Default: the type of service tokens. */
  readonly typ?: string;
  /** Seconds until the token expires, or null for a token without `exp`. Default: 300. */
  readonly expiresInSeconds?: number | null;
}

/** Creates a service token with a JWT library. */
export async function serviceToken(
  secret: string,
  claims: JWTPayload,
  { algorithm = 'HS256', expiresInSeconds = 300, typ = 'durable-proxy+jwt' }: TokenOptions = {},
): Promise<string> {
  const now = Math.floor(Date.now() / 1_000);
  const token = new SignJWT(claims).setProtectedHeader({ alg: algorithm, typ }).setIssuedAt(now);
  if (expiresInSeconds !== null) token.setExpirationTime(now + expiresInSeconds);
  return token.sign(new TextEncoder().encode(secret));
}
