// #region
import { createServiceToken } from 'durable-proxy';
// #endregion

export async function tokenFor(user: { id: string }, jwtSecret: string): Promise<string> {
  // #region
  // `user` comes from your session. `jwtSecret` is the secret of the proxy.
  const token = await createServiceToken({
    jwtSecret,
    subject: user.id, // Scopes streams, keys and limits.
    expiresInSeconds: 600,
    allow: ['https://api.example.com/chat'], // Optional: narrows the allowlist of the proxy.
  });
  // #endregion
  return token;
}
