import { StreamStatus, useResumption, type UseDurableChatHelpers } from 'durable-proxy/react';

interface Props {
  chat: Pick<UseDurableChatHelpers, 'resumption' | 'retry'>; // What useDurableChat returns.
}

export function Ready({ chat }: Props) {
  return (
    <StreamStatus
      resumption={chat.resumption}
      onRetry={() => void chat.retry()}
      retryLabel="Noch einmal"
      words={{ reconnecting: 'Verbindung weg, ich versuche es weiter …', aborted: '' }}
      style={{ '--stream-status-dot-lost': 'orange' } as React.CSSProperties}
    />
  );
}

export function Own({ chat }: Props) {
  const { message, isInterrupted, canRetry } = useResumption(chat.resumption);
  return (
    <footer role="status" data-lost={isInterrupted}>
      {message} {canRetry && <button onClick={() => void chat.retry()}>Try again</button>}
    </footer>
  );
}
