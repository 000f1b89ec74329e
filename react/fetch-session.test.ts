import { expect, it } from 'vitest';
import { createClientMemory } from '../core-client/client-memory.ts';
import { FetchSession } from './fetch-session.ts';

it('parses an answer of 150,000 lines that arrives at once', async () => {
  const count = 150_000;
  const control = JSON.stringify({
    streamNextOffset: '1',
    upToDate: true,
    streamClosed: true,
    upstreamOutcome: 'complete',
  });
  const events = `event: data\ndata: ${btoa('1\n'.repeat(count))}\n\nevent: control\ndata: ${control}\n\n`;
  const session = new FetchSession(
    {
      proxyUrl: 'http://localhost/v1/proxy',
      url: 'http://localhost/lines',
      parse: 'ndjson',
      throttleMs: 50,
      fetch: async (_url, init) =>
        init?.method === 'POST'
          ? new Response(null, {
              status: 201,
              headers: {
                location: '/v1/proxy/a?expires=9&signature=s',
                'upstream-content-type': 'text/plain',
              },
            })
          : new Response(events, {
              headers: { 'content-type': 'text/event-stream', 'stream-sse-data-encoding': 'base64' },
            }),
    },
    createClientMemory(),
  );
  const unsubscribe = session.subscribe(() => undefined);
  await session.run();
  expect(session.getSnapshot().events).toHaveLength(count);
  unsubscribe();
});
