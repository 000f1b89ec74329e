'use client';
import { useDurableChat } from 'durable-proxy/react/chat';
import { StreamStatus } from 'durable-proxy/react/status';
import { useState } from 'react';

export function Chat({ id }: { id: string }) {
  const [input, setInput] = useState('');
  const { messages, sendMessage, status, stop, error, resumption, retry } = useDurableChat({
    id,
    api: '/api/chat',
    proxyUrl: '/v1/proxy',
  });
  const isBusy = status === 'submitted' || status === 'streaming';
  const send = () => {
    const text = input.trim();
    if (text === '' || isBusy) return;
    setInput('');
    void sendMessage({ text });
  };
  return (
    <main>
      {messages.map((message) => (
        <p key={message.id}>
          <b>{message.role}</b>{' '}
          {message.parts.map((part, index) =>
            part.type === 'text' ? <span key={index}>{part.text}</span> : null,
          )}
        </p>
      ))}
      {error && (
        <p role="alert">
          {error.message}{' '}
          <button type="button" onClick={() => void retry()}>
            Try again
          </button>
        </p>
      )}
      <StreamStatus resumption={resumption} />
      <form
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <input aria-label="Message" value={input} onChange={(event) => setInput(event.target.value)} />
        {/* The keys keep React from turning the Stop button into the Send button during a click. */}
        {isBusy ? (
          <button key="stop" type="button" onClick={() => void stop()}>
            Stop
          </button>
        ) : (
          <button key="send" type="submit">
            Send
          </button>
        )}
      </form>
    </main>
  );
}
