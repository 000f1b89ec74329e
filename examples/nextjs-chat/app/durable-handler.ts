import { createDurableHandler, type DurableHandler } from 'durable-proxy/web';
import { currentUser } from './session';

let handler: DurableHandler | undefined;

/** Creates the handler at the first request: a build may import this file without the environment variables. */
export function durableHandler(request: Request): Promise<Response> {
  handler ??= create();
  return handler(request);
}

function create(): DurableHandler {
  const { JWT_SECRET, CHAT_KEY, PORT = '3000', APP_URL = `http://localhost:${PORT}`, NODE_ENV } = process.env;
  if (!JWT_SECRET || !CHAT_KEY) throw new Error('Set the environment variables JWT_SECRET and CHAT_KEY');
  const created = createDurableHandler({
    basePath: '/v1/proxy',
    jwtSecret: JWT_SECRET,
    // The only URL that a page can reach through the proxy: the chat route, at the page's own address.
    allowlist: [`${APP_URL}/api/chat`],
    async authenticate(request) {
      const user = await currentUser(request);
      return user && { subject: user.id };
    },
    // The proxy does not forward cookies. This is how the chat route recognizes the proxy and the user.
    prepareUpstream({ headers, subject }) {
      headers.set('authorization', `Bearer ${CHAT_KEY}`);
      headers.set('x-user', subject ?? '');
    },
  });
  // Instead of Next.js, which waits for all requests without a limit (NEXT_MANUAL_SIG_HANDLE in package.json).
  if (NODE_ENV === 'production')
    process.once('SIGTERM', async () => {
      await created.close(); // Waits up to 10 seconds for running answers.
      process.exit();
    });
  return created;
}
