import { StreamStatus, useDurableChat } from 'durable-proxy/react';
import { Composer } from './Composer.tsx';
import { Connection } from './Connection.tsx';
import { Messages } from './Messages.tsx';
import { useKeeping, useKeptMessages } from './useKeptMessages.ts';

export function Chat({ id }: { id: string }) {
  const kept = useKeptMessages(id);
  const chat = useDurableChat({ id, messages: kept, api: '/api/chat', proxyUrl: '/v1/proxy' });
  const { messages, status, resumption, sendMessage, retry, stop } = chat;
  useKeeping(chat);

  const busy = status === 'submitted' || status === 'streaming';
  const ask = (text: string) => void sendMessage({ text });
  return (
    <>
      <main className="chat">
        <Messages messages={messages} streaming={busy} onSuggestion={ask} />
        <StreamStatus className="status" resumption={resumption} onRetry={() => void retry()} />
        <Composer busy={busy} onSend={ask} onStop={() => void stop()} />
      </main>
      <Connection resumption={resumption} />
    </>
  );
}
