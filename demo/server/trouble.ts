import type { Socket } from 'node:net';
import express, { type Request, type RequestHandler, type Router } from 'express';

/** Fault injection for the demo. */
export interface Trouble {
  /** Middleware before the proxy that tracks which sockets carry the streams of a session. */
  readonly watch: RequestHandler;
  /** `POST /cut`, `POST /offline { seconds }`, `POST /crash`. */
  readonly controls: Router;
}

export function createTrouble(sessionOf: (req: Request) => string | undefined, crash: () => void): Trouble {
  const sockets = new Map<string, Set<Socket>>();
  const offlineUntil = new Map<string, number>();

  const cut = (session: string): number => {
    const open = sockets.get(session) ?? new Set();
    for (const socket of open) socket.destroy();
    return open.size;
  };

  const controls = express.Router();
  controls.post('/cut', (req, res) => {
    res.json({ cut: cut(sessionOf(req) ?? '') });
  });
  controls.post('/offline', express.json(), (req, res) => {
    const session = sessionOf(req);
    const seconds = Math.min(Number((req.body as { seconds?: unknown } | undefined)?.seconds) || 5, 60);
    if (session !== undefined) offlineUntil.set(session, Date.now() + seconds * 1000);
    res.json({ cut: cut(session ?? ''), seconds });
  });
  controls.post('/crash', (_req, res) => {
    res.once('finish', crash);
    res.status(202).end();
  });

  return {
    controls,
    watch(req, res, next) {
      const session = sessionOf(req);
      if (session === undefined) return next();
      if ((offlineUntil.get(session) ?? 0) > Date.now()) return void req.socket.destroy();
      offlineUntil.delete(session);

      const open = sockets.get(session) ?? new Set();
      sockets.set(session, open.add(req.socket));
      res.once('close', () => {
        open.delete(req.socket);
        if (open.size === 0 && sockets.get(session) === open) sockets.delete(session);
      });
      next();
    },
  };
}
