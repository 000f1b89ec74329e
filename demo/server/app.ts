import { fileURLToPath } from 'node:url';
import { durableProxy, lastEventIdRecovery } from 'durable-proxy';
import { durableInspector } from 'durable-proxy/inspector';
import express, { type Express } from 'express';
import helmet from 'helmet';
import { createPairing, type Pairing } from './pairing.ts';
import { plainChat } from './plain-chat.ts';
import { createSessions } from './session.ts';
import { createTrouble } from './trouble.ts';

export interface DemoOptions {
  /** Port of this app. The page calls `/api/chat` there, and the proxy sends that to the agent. */
  readonly port: number;
  /** Address of this app for other devices, if it listens for them. */
  readonly networkOrigin?: string | undefined;
  /** The process that generates answers: see `demo/agent`. */
  readonly agent: { readonly url: string; readonly key: string };
  readonly jwtSecret: string;
  /** Folder of the stored streams. */
  readonly dataDir: string;
  /** Seconds for which signed URLs are valid. Default: one day, as in the proxy. */
  readonly urlExpirationSeconds?: number;
  /** Kills this process, for the button "Kill the server". */
  readonly crash: () => void;
}

export interface Demo {
  readonly app: Express;
  readonly pairing: Pairing;
  close(options: { drainMs: number }): Promise<void>;
}

export function createDemo({
  port,
  networkOrigin,
  agent,
  jwtSecret,
  dataDir,
  urlExpirationSeconds,
  crash,
}: DemoOptions): Demo {
  const sessions = createSessions(jwtSecret);
  const origins = [
    `http://localhost:${port}`,
    `http://127.0.0.1:${port}`,
    ...(networkOrigin ? [networkOrigin] : []),
  ];
  const chats = origins.map((origin) => `${origin}/api/chat`);

  const runUrl = (headers: Headers): string => `${agent.url}/chat/${headers.get('x-run-id')}`;

  // ── what makes it durable: from here …
  const proxy = durableProxy({
    jwtSecret,
    dataDir,
    ...(urlExpirationSeconds !== undefined && { urlExpirationSeconds }),
    allowlist: [...chats, `${agent.url}/chat/**`],
    authenticate: (req) => {
      const subject = sessions.read(req);
      return subject === undefined ? null : { subject };
    },
    prepareUpstream({ url, headers }) {
      headers.set('authorization', `Bearer ${agent.key}`);
      if (url.pathname === '/api/chat') return { url: `${agent.url}/chat` };
    },
    // The agent numbers its events, so an answer continues after a crash of this process.
    recovery: [
      lastEventIdRecovery({
        match: chats,
        request: ({ responseHeaders }) => ({ url: runUrl(responseHeaders) }),
        cancel: ({ responseHeaders }) => ({ method: 'DELETE', url: runUrl(responseHeaders) }),
      }),
    ],
  });
  // … to here, and its mount below.

  const trouble = createTrouble(sessions.read, crash);
  const app = express();
  app.disable('x-powered-by');
  // Without TLS, `upgrade-insecure-requests` would break the page.
  app.use(
    helmet({
      contentSecurityPolicy: {
        directives: { upgradeInsecureRequests: null, imgSrc: ["'self'", 'data:', 'blob:'] },
      },
      hsts: false,
    }),
  );
  app.use('/v1/proxy', trouble.watch, proxy);
  // Shows the answers of all sessions. An app would ask for the role of an operator.
  app.use('/ops/streams', durableInspector(proxy, { authorize: (req) => sessions.read(req) !== undefined }));
  app.use('/plain/chat', trouble.watch, plainChat(agent, sessions.required));
  app.get('/demo/model', async (_req, res) => {
    const model = await fetch(`${agent.url}/model`);
    res.json(await model.json());
  });
  for (const fault of ['crash', 'fail'])
    app.post(`/demo/agent/${fault}`, sessions.required, async (_req, res) => {
      const headers = { authorization: `Bearer ${agent.key}` };
      await fetch(`${agent.url}/${fault}`, { method: 'POST', headers }).catch(() => undefined);
      res.status(202).end();
    });
  const pairing = createPairing(sessions, networkOrigin);
  app.use('/demo/pair', pairing.router);
  app.use('/demo', sessions.required, trouble.controls);
  app.use(sessions.middleware, express.static(fileURLToPath(new URL('../web/', import.meta.url))));
  return { app, pairing, close: (options) => proxy.close(options) };
}
