import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import express, { type Router } from 'express';
import type { Sessions } from './session.ts';

/** Milliseconds for which a code can be used. */
const CODE_MS = 120_000;
/** Maximum number of unused codes. If there are more, the oldest becomes invalid. */
const MAX_CODES = 10;

/** A device that was not paired has no session. A code grants it the session of the device that shows the code. */
export interface Pairing {
  /** `POST /` makes a code, `POST /redeem` redeems it. */
  readonly router: Router;
  /** Makes a code for a session, once. @returns the address that a phone opens. */
  invite(session: string): string;
}

/** @param origin address of this server for other devices, undefined if it listens on this machine only. */
export function createPairing(sessions: Sessions, origin: string | undefined): Pairing {
  let codes: { hash: Buffer; session: string; expiresAt: number }[] = [];

  const invite = (session: string): string => {
    const code = randomBytes(16).toString('base64url');
    const expiresAt = Date.now() + CODE_MS;
    codes = [...codes.slice(1 - MAX_CODES), { hash: hashOf(code), session, expiresAt }];
    // In the fragment, which browsers do not send, so that no log contains it.
    return `${origin}/#/pair/${code}`;
  };

  /** Returns the session of a code and removes the code. Takes the same time for every code. */
  const redeem = (code: string): string | undefined => {
    const hash = hashOf(code);
    const now = Date.now();
    const found = codes
      .filter((each) => timingSafeEqual(each.hash, hash))
      .find((each) => each.expiresAt > now);
    codes = codes.filter((each) => each !== found && each.expiresAt > now);
    return found?.session;
  };

  const router = express.Router();
  router.post('/', (req, res) => {
    const session = sessions.read(req);
    if (session === undefined) return void res.status(401).json({ error: 'Open this page on the computer.' });
    if (origin === undefined) return void res.json({});
    res.json({ url: invite(session), expiresInSeconds: CODE_MS / 1000 });
  });
  router.post('/redeem', express.json({ limit: '1kb' }), (req, res) => {
    const { code } = (req.body ?? {}) as { code?: unknown };
    const session = typeof code === 'string' ? redeem(code) : undefined;
    if (session === undefined)
      return void res.status(403).json({ error: 'The code was used or has expired. Show a new one.' });
    sessions.grant(res, session);
    res.status(204).end();
  });
  return { router, invite };
}

/** Returns the address of this machine in its network, or undefined if it has none. */
export function networkAddress(): string | undefined {
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
}

function hashOf(code: string): Buffer {
  return createHash('sha256').update(code).digest();
}
