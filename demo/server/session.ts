import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { RequestHandler, Response } from 'express';

const NAME = 'demo-session';
const COOKIE = new RegExp(`(?:^|;\\s*)${NAME}=([\\w-]{36})\\.([\\w-]{43})(?:;|$)`);

/** Sessions in one cookie: a random name and its signature. An app would use its own login here. */
export interface Sessions {
  /** Grants a session to pages on this machine. Other devices get theirs by pairing. */
  readonly middleware: RequestHandler;
  /** Responds 401 to requests without a session. */
  readonly required: RequestHandler;
  /** Sets the cookie of a session. */
  readonly grant: (res: Response, name: string) => void;
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

  const grant = (res: Response, name: string): void => {
    res.cookie(NAME, `${name}.${sign(name).toString('base64url')}`, {
      httpOnly: true,
      // Strict: a page of another site must not start an answer that the visitor pays for.
      sameSite: 'strict',
      maxAge: 365 * 24 * 3600 * 1000,
    });
  };

  return {
    read,
    grant,
    middleware(req, res, next) {
      if (req.method === 'GET' && read(req) === undefined && isLocal(req)) grant(res, randomUUID());
      next();
    },
    required(req, res, next) {
      if (read(req) === undefined) res.status(401).json({ error: 'This device is not paired.' });
      else next();
    },
  };
}

/** True for a request from this machine. */
function isLocal({ socket }: IncomingMessage): boolean {
  return /^(::ffff:)?127\.|^::1$/.test(socket.remoteAddress ?? '');
}
