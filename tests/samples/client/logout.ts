import { createDurableFetch, type DurableFetch } from 'durable-proxy/client';

/** Call this when the user is known, and once for each user. */
export function createUserFetch(user: { id: string }): DurableFetch {
  // A session cookie identifies the user to the proxy. It does not identify the user to the client.
  return createDurableFetch({ proxyUrl: '/v1/proxy', scope: user.id });
}

export async function logOut(durableFetch: DurableFetch): Promise<void> {
  await durableFetch.forget();
  await fetch('/logout', { method: 'POST' }); // Your own route, which ends the session.
}
