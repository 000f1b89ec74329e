import { fileURLToPath } from 'node:url';
import { durableProxy, lastEventIdRecovery } from 'durable-proxy';
import express, { type Express } from 'express';
import helmet from 'helmet';
import { createSessions } from './session.ts';
import { createTrouble } from './trouble.ts';

export interface DemoOptions {
  /** Port of this app. The page calls `/api/chat` there, and the proxy sends that to the agent. */
  readonly port: number;
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
  close(options: { drainMs: number }): Promise<void>;
}

export function createDemo({
  port,
  agent,
  jwtSecret,
  dataDir,
  urlExpirationSeconds,
  crash,
}: DemoOptions): Demo {
  const sessions = createSessions(jwtSecret);
  const chat = `http://localhost:${port}/api/chat`;

  const runUrl = (headers: Headers): string => `${agent.url}/chat/${headers.get('x-run-id')}`;

  // ── what makes it durable: from here …
  const proxy = durableProxy({
    jwtSecret,
    dataDir,
    ...(urlExpirationSeconds !== undefined && { urlExpirationSeconds }),
    allowlist: [chat, `http://127.0.0.1:${port}/api/chat`, `${agent.url}/chat/**`],
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
        match: [chat, `http://127.0.0.1:${port}/api/chat`],
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
  app.use(helmet({ contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } }, hsts: false }));
  app.use('/v1/proxy', trouble.watch, proxy);
  app.get('/demo/model', async (_req, res) => {
    const model = await fetch(`${agent.url}/model`);
    res.json(await model.json());
  });
  app.post('/demo/crash-agent', async (_req, res) => {
    const headers = { authorization: `Bearer ${agent.key}` };
    await fetch(`${agent.url}/crash`, { method: 'POST', headers }).catch(() => undefined);
    res.status(202).end();
  });
  app.use('/demo', trouble.controls);
  app.use(sessions.middleware, express.static(fileURLToPath(new URL('../web/', import.meta.url))));
  return { app, close: (options) => proxy.close(options) };
}
