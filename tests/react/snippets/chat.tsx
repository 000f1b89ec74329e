import { StreamStatus, useDurableChat } from 'durable-proxy/react';
import { useState } from 'react';

export function Chat({ id }: { id: string }) {
  const [input, setInput] = useState('');
  const { messages, sendMessage, status, stop, resumption, retry } = useDurableChat({
    id,
    api: '/api/chat',
    proxyUrl: '/v1/proxy',
  });
  const isBusy = status === 'submitted' || status === 'streaming';
  return (
    <>
      {messages.map((message) => (
        <p key={message.id}>
          <b>{message.role}</b>{' '}
          {message.parts.map((part, index) =>
            part.type === 'text' ? <span key={index}>{part.text}</span> : null,
          )}
        </p>
      ))}
      <StreamStatus resumption={resumption} onRetry={() => void retry()} />
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void sendMessage({ text: input });
          setInput('');
        }}
      >
        <input aria-label="Message" value={input} onChange={(event) => setInput(event.target.value)} />
        {isBusy ? (
          <button type="button" onClick={() => void stop()}>
            Stop
          </button>
        ) : (
          <button>Send</button>
        )}
      </form>
    </>
  );
}
