import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StreamStatus, useDurableFetch } from 'durable-proxy/react';

const queryClient = new QueryClient();

function Essay({ topic }: { topic: string }) {
  const { text, status, error, resumption, abort, retry } = useDurableFetch('/api/essay', {
    proxyUrl: '/v1/proxy',
    body: { topic },
    enabled: topic !== '',
  });
  const isBusy = status === 'loading' || status === 'streaming';
  return (
    <article aria-busy={isBusy}>
      <p>{text}</p>
      {error && (
        <p role="alert">
          {error.message}{' '}
          <button type="button" onClick={() => void retry()}>
            Try again
          </button>
        </p>
      )}
      <StreamStatus resumption={resumption} />
      {isBusy && (
        <button type="button" onClick={() => void abort()}>
          Stop
        </button>
      )}
    </article>
  );
}

export function App() {
  return (
    <QueryClientProvider client={queryClient}>
      <Essay topic="drops of water" />
    </QueryClientProvider>
  );
}
