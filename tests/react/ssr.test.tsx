import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { renderToString } from 'react-dom/server';
import { expect, it } from 'vitest';
import { StreamStatus, useDurableChat, useDurableFetch } from '../../react/index.ts';

function Page(): React.ReactElement {
  const refuse = (): never => {
    throw new Error('A server asks for nothing.');
  };
  const chat = useDurableChat({ proxyUrl: '/v1/proxy', fetch: refuse });
  const answer = useDurableFetch('https://api.example.com/essay', { proxyUrl: '/v1/proxy', fetch: refuse });
  return (
    <p>
      {chat.status} {answer.status} <StreamStatus resumption={chat.resumption} />
    </p>
  );
}

it('renders on a server without a request and without browser globals', () => {
  const html = renderToString(
    <QueryClientProvider client={new QueryClient()}>
      <Page />
    </QueryClientProvider>,
  );
  expect(html).toContain('ready');
  expect(html).toContain('role="status"');
});
