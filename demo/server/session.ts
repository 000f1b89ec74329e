import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';

const NAME = 'demo-session';
const COOKIE = new RegExp(`(?:^|;\\s*)${NAME}=([\\w-]{36})\\.([\\w-]{43})(?:;|$)`);

/** Sessions in one cookie: a random name and its signature. An app would use its own login here. */
export interface Sessions {
  /** Sets the session cookie for pages. */
  readonly middleware: RequestHandler;
  /** Returns the session of a request, if its cookie is genuine. */
  readonly read: (req: IncomingMessage) => string | undefined;
}

export function createSessions(secret: string): Sessions {
  const sign = (name: string): Buffer => createHmac('sha256', secret).update(`${NAME}:${name}`).digest();

  const read = (req: IncomingMessage): string | undefined => {
    const [, name, signature] = COOKIE.exec(req.headers.cookie ?? '') ?? [];
    if (name === undefined || signature === undefined) return undefined;
    return timingSafeEqual(Buffer.from(signature, 'base64url'), sign(name)) ? name : undefined;
  };

  return {
    read,
    middleware(req, res, next) {
      if (req.method === 'GET' && read(req) === undefined) {
        const name = randomUUID();
        res.cookie(NAME, `${name}.${sign(name).toString('base64url')}`, {
          httpOnly: true,
          // Strict: a page of another site must not start an answer that the visitor pays for.
          sameSite: 'strict',
          maxAge: 365 * 24 * 3600 * 1000,
        });
      }
      next();
    },
  };
}
