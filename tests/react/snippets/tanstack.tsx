import { localStoragePersistence, useChat } from '@tanstack/ai-react';
import { StreamStatus } from 'durable-proxy/react';
import { createDurableAdapter } from 'durable-proxy/transports';

const connection = createDurableAdapter('/api/chat', { proxyUrl: '/v1/proxy' });
const persistence = localStoragePersistence();

export function Chat({ threadId }: { threadId: string }) {
  const { messages, sendMessage, stop, reload } = useChat({ threadId, connection, persistence });
  const stopForGood = async () => {
    // TanStack's stop() only stops reading, which is also what leaving the page does.
    stop();
    await connection.abort();
  };
  return (
    <>
      <output>{messages.length}</output>
      <StreamStatus resumption={connection.resumption} onRetry={() => void reload()} />
      <button onClick={() => void sendMessage('Hello')}>Send</button>
      <button onClick={() => void stopForGood()}>Stop</button>
    </>
  );
}
