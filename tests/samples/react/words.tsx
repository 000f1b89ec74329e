import { StreamStatus, useDurableChat, useResumption } from 'durable-proxy/react';

export function Ready() {
  const { resumption, retry } = useDurableChat({ proxyUrl: '/v1/proxy' });
  return (
    <StreamStatus
      resumption={resumption}
      onRetry={() => void retry()}
      retryLabel="Noch einmal"
      words={{ reconnecting: 'Verbindung weg, ich versuche es weiter …', aborted: '' }}
      style={{ '--stream-status-dot-lost': 'orange' } as React.CSSProperties}
    />
  );
}

export function Own() {
  const chat = useDurableChat({ proxyUrl: '/v1/proxy' });
  const { message, isInterrupted, canRetry } = useResumption(chat.resumption);
  return (
    <footer role="status" data-lost={isInterrupted}>
      {message} {canRetry && <button onClick={() => void chat.retry()}>Try again</button>}
    </footer>
  );
}
