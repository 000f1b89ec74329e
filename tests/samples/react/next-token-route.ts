// app/api/proxy-token/route.ts
import { createServiceToken } from 'durable-proxy';
import { currentUser } from './session.ts'; // Your own: returns the user of a request, or null.

export async function GET(request: Request): Promise<Response> {
  const user = await currentUser(request);
  if (!user) return new Response(null, { status: 401 });
  const token = await createServiceToken({
    jwtSecret: process.env.JWT_SECRET!,
    subject: user.id,
    expiresInSeconds: 600,
    allow: ['https://app.example.com/api/chat'],
  });
  return new Response(token);
}
