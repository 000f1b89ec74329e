import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type * as ChatRoute from '../samples/react/migration-route.ts';
import type * as TokenRoute from '../samples/react/next-token-route.ts';
import type { Front } from '../samples/support/front.ts';
import { loadSample } from '../samples/support/load.ts';
import type { StandInModel } from '../samples/support/model.ts';
import { SECRET, startProxy } from '../support/proxy.ts';

type Route = (request: Request) => Promise<Response>;

/** What the pages of samples talk to: a proxy, and the app that it protects. */
export interface SampleApp {
  /** The proxy's own address, which is another origin than the page's. It accepts tokens only. */
  readonly proxyUrl: string;
  dispose(): Promise<void>;
}

/**
 * Starts a proxy and an app, and routes the front to them. `/api/chat` is the route of docs/react.md and asks the
 * model, `/api/proxy-token` creates tokens, and any other path goes to the model.
 */
export async function startApp(front: Front, model: StandInModel): Promise<SampleApp> {
  // Samples read these when they are imported or called.
  Object.assign(process.env, {
    JWT_SECRET: SECRET,
    OPENAI_BASE_URL: model.url,
    OPENAI_API_KEY: 'sk-stand-in',
  });
  const replace = { 'https://app.example.com': front.origin };
  const routes: Readonly<Record<string, Route>> = {
    '/api/chat': (await loadSample<typeof ChatRoute>('react/migration-route.ts')).POST,
    '/api/proxy-token': (await loadSample<typeof TokenRoute>('react/next-token-route.ts', { replace })).GET,
  };
  // Node does not abort the signal of a `Request` that was garbage-collected.
  const requests = new Set<Request>();
  const app = createServer((incoming, outgoing) => {
    const closed = new AbortController();
    const request = toRequest(incoming, closed.signal);
    requests.add(request);
    outgoing.once('close', () => {
      closed.abort();
      requests.delete(request);
    });
    void serve(routes[incoming.url!]!, request, outgoing).catch(() => outgoing.destroy());
  });
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  const appUrl = `http://127.0.0.1:${(app.address() as AddressInfo).port}`;

  const proxy = await startProxy({
    allowlist: [`${front.origin}/api/*`],
    cors: { origin: front.origin },
    // Stands for the app's session, which exists on the page's origin only.
    authenticate({ headers }) {
      const visitor = /visitor=([\w-]+)/.exec(headers.cookie ?? '')?.[1];
      return visitor === undefined ? null : { subject: visitor };
    },
  });
  front.route({
    '/v1/proxy': proxy.url,
    '/api/chat': appUrl,
    '/api/proxy-token': appUrl,
    '/': new URL(model.url).origin,
  });
  return {
    proxyUrl: proxy.base,
    async dispose() {
      await proxy.stop();
      app.closeAllConnections();
      app.close();
      await once(app, 'close');
    },
  };
}

function toRequest(incoming: IncomingMessage, signal: AbortSignal): Request {
  return new Request(`http://app.test${incoming.url!}`, {
    method: incoming.method!,
    headers: incoming.headers as Record<string, string>,
    signal,
    ...(incoming.method === 'POST' && { body: Readable.toWeb(incoming) as ReadableStream, duplex: 'half' }),
  } as RequestInit);
}

/** Runs a route handler as Next.js does: an error in the body closes the connection. */
async function serve(route: Route, request: Request, outgoing: ServerResponse): Promise<void> {
  const response = await route(request);
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  if (response.body === null) outgoing.end();
  else await pipeline(Readable.fromWeb(response.body as never), outgoing);
}
