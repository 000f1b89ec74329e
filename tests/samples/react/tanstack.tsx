import { localStoragePersistence, useChat } from '@tanstack/ai-react';
import { StreamStatus } from 'durable-proxy/react';
import { createDurableAdapter } from 'durable-proxy/transports';

const connection = createDurableAdapter('/api/chat', { proxyUrl: '/v1/proxy' });
const persistence = localStoragePersistence();

export function Chat({ threadId }: { threadId: string }) {
  const { messages, sendMessage, isLoading, stop, reload, error } = useChat({
    threadId,
    connection,
    persistence,
  });
  const stopAnswer = async () => {
    // TanStack's stop() only stops reading. Leaving the page calls it too.
    stop();
    await connection.abort();
  };
  return (
    <>
      {messages.map(({ id, role, parts }) => (
        <p key={id}>
          {role}: {parts.map((part) => (part.type === 'text' ? part.content : ''))}
        </p>
      ))}
      {error && <p role="alert">{error.message}</p>}
      <StreamStatus resumption={connection.resumption} onRetry={() => void reload()} />
      <button disabled={isLoading} onClick={() => void sendMessage('Why is water wet?')}>
        Ask
      </button>
      <button onClick={() => void stopAnswer()}>Stop</button>
    </>
  );
}
