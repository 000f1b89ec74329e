// app/api/proxy-token/route.ts
import { createServiceToken } from 'durable-proxy';

declare function currentUser(request: Request): Promise<{ id: string } | null>;

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
