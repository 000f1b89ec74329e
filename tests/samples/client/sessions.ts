import { createDurableFetch } from 'durable-proxy/client';
import { createSessionStore, type SessionSnapshot } from 'durable-proxy/sessions';

const durableFetch = createDurableFetch({ proxyUrl: '/v1/proxy' });

export async function view(
  url: string,
  body: string,
  render: (snapshot: SessionSnapshot) => void,
): Promise<SessionSnapshot> {
  // #region
  const sessions = createSessionStore(); // One per application.
  const session = sessions.acquire('essay', async (init) => {
    const response = await durableFetch(url, { body, requestId: 'essay', ...init });
    if (!response.ok) throw new Error(`The request failed with status ${response.status}`);
    return response;
  });
  const unsubscribe = session.subscribe(() => render(session.getSnapshot()));

  const { text, error } = await session.done; // Never rejects.
  unsubscribe();
  session.release();
  // #endregion
  return { ...session.getSnapshot(), text, error };
}
