import { createServiceToken } from 'durable-proxy/tokens';
import { currentUser } from '../../session';

const { APP_URL = 'http://localhost:3000' } = process.env;

/** Creates a short-lived token with which the page can call the chat route through the proxy. */
export async function GET(request: Request): Promise<Response> {
  const user = await currentUser(request);
  if (!user) return new Response(null, { status: 401 });
  const token = await createServiceToken({
    jwtSecret: process.env.JWT_SECRET!,
    subject: user.id,
    expiresInSeconds: 600,
    allow: [`${APP_URL}/api/chat`],
  });
  return new Response(token, { headers: { 'cache-control': 'no-store' } });
}
