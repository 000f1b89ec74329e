import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import express, { type RequestHandler, type Router } from 'express';

/**
 * The same chat without the proxy, for the comparison: an ordinary route that streams the agent's response to the page.
 * When the page disconnects, the route stops the model, as `streamText` does with the `signal` of a request.
 */
export function plainChat(
  agent: { readonly url: string; readonly key: string },
  guard: RequestHandler,
): Router {
  const headers = { authorization: `Bearer ${agent.key}`, 'content-type': 'application/json' };
  const router = express.Router();
  router.post('/', guard, express.text({ type: '*/*', limit: '8mb' }), async (req, res) => {
    const closed = once(res, 'close');
    const response = await fetch(`${agent.url}/chat`, { method: 'POST', headers, body: req.body as string });
    const run = response.headers.get('x-run-id');
    void closed.then(() => {
      if (run !== null && !res.writableFinished)
        void fetch(`${agent.url}/chat/${run}`, { method: 'DELETE', headers }).catch(() => undefined);
    });
    res.writeHead(response.status, {
      'content-type': response.headers.get('content-type') ?? 'text/plain',
      'cache-control': 'no-store',
      'x-vercel-ai-ui-message-stream': 'v1',
    });
    // The page has disconnected, or the agent was killed.
    await pipeline(Readable.fromWeb(response.body as never), res).catch(() => undefined);
  });
  return router;
}
