// #region
import { createDurableFetch } from 'durable-proxy/client';
import { createSessionStore } from 'durable-proxy/sessions';

const durableFetch = createDurableFetch({ proxyUrl: '/v1/proxy' });
const sessions = createSessionStore(); // One per application.
// #endregion

export async function view(
  url: string,
  body: string,
  render: (snapshot: { readonly text: string }) => void,
): Promise<{ readonly text: string; readonly error: unknown }> {
  // #region
  // In each view. `url` and `body` are your request, `render` is your function that shows the text.
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
  return { text, error };
}
