import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { durableProxy } from 'durable-proxy';
import express, { type Express } from 'express';
import helmet from 'helmet';
import { chatRoute } from './chat.ts';
import { createScriptedModel } from './scripted-model.ts';
import { createSessions } from './session.ts';
import { createTrouble } from './trouble.ts';

export interface DemoOptions {
  /** Where this app listens: the proxy calls its chat route there. */
  readonly port: number;
  readonly jwtSecret: string;
  /** Folder of the answers. */
  readonly dataDir: string;
  /** Seconds that the address of an answer is good for. Default: the proxy's own, a day. */
  readonly urlExpirationSeconds?: number;
  /** An OpenAI-compatible API. Default: the scripted model, in this process. */
  readonly model?: { readonly baseURL: string; readonly apiKey: string | undefined; readonly name: string };
  /** What the button "Kill the server" does. */
  readonly crash: () => void;
}

export interface Demo {
  readonly app: Express;
  close(options: { drainMs: number }): Promise<void>;
}

export function createDemo({
  port,
  jwtSecret,
  dataDir,
  urlExpirationSeconds,
  model,
  crash,
}: DemoOptions): Demo {
  const sessions = createSessions(jwtSecret);
  const internalKey = randomBytes(32).toString('base64url');

  // ── what makes it durable: from here …
  const proxy = durableProxy({
    jwtSecret,
    dataDir,
    ...(urlExpirationSeconds !== undefined && { urlExpirationSeconds }),
    allowlist: [`http://localhost:${port}/api/chat`, `http://127.0.0.1:${port}/api/chat`],
    authenticate: (req) => {
      const subject = sessions.read(req);
      return subject === undefined ? null : { subject };
    },
    prepareUpstream: ({ headers }) => headers.set('authorization', `Bearer ${internalKey}`),
  });
  // … to here, and its mount below.

  const scripted = createScriptedModel();
  const trouble = createTrouble(sessions.read, crash);
  const app = express();
  app.disable('x-powered-by');
  // Without TLS in front, asking browsers for https would break the page.
  app.use(helmet({ contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } }, hsts: false }));
  app.use('/v1/proxy', trouble.watch, proxy);
  app.use(
    '/api/chat',
    chatRoute({
      baseURL: model?.baseURL ?? `http://localhost:${port}/scripted-model`,
      apiKey: model?.apiKey,
      model: model?.name ?? 'scripted',
      internalKey,
    }),
  );
  app.use('/scripted-model', scripted.router);
  app.get('/demo/model', (_req, res) => {
    // A real model's provider does the counting.
    res.json({ name: model?.name ?? 'scripted', ...(!model && { calls: scripted.calls.length }) });
  });
  app.use('/demo', trouble.controls);
  app.use(sessions.middleware, express.static(fileURLToPath(new URL('../web/', import.meta.url))));
  return { app, close: (options) => proxy.close(options) };
}
