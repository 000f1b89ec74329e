import { localStoragePersistence, useChat } from '@tanstack/ai-react';
import { StreamStatus } from 'durable-proxy/react/status';
import { createDurableAdapter } from 'durable-proxy/transports';
import { useState } from 'react';

const connection = createDurableAdapter('/api/chat', { proxyUrl: '/v1/proxy' });
const persistence = localStoragePersistence();

export function Chat({ threadId }: { threadId: string }) {
  const [input, setInput] = useState('');
  const { messages, sendMessage, isLoading, stop, reload, error } = useChat({
    threadId,
    connection,
    persistence,
  });
  const send = () => {
    const text = input.trim();
    if (text === '' || isLoading) return;
    setInput('');
    void sendMessage(text);
  };
  const stopAnswer = async () => {
    // TanStack's stop() only stops reading. Leaving the page calls it too.
    stop();
    await connection.abort();
  };
  return (
    <>
      {messages.map(({ id, role, parts }) => (
        <p key={id}>
          <b>{role}</b> {parts.map((part) => (part.type === 'text' ? part.content : ''))}
        </p>
      ))}
      {error && (
        <p role="alert">
          {error.message}{' '}
          <button type="button" onClick={() => void reload()}>
            Try again
          </button>
        </p>
      )}
      <StreamStatus resumption={connection.resumption} />
      <form
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <input aria-label="Message" value={input} onChange={(event) => setInput(event.target.value)} />
        {/* The keys keep React from turning the Stop button into the Send button during a click. */}
        {isLoading ? (
          <button key="stop" type="button" onClick={() => void stopAnswer()}>
            Stop
          </button>
        ) : (
          <button key="send" type="submit">
            Send
          </button>
        )}
      </form>
    </>
  );
}
