import { StreamStatus, useDurableChat } from 'durable-proxy/react';

export function Chat() {
  const chat = useDurableChat({ api: '/api/chat', proxyUrl: '/v1/proxy' });
  const isBusy = chat.status === 'submitted' || chat.status === 'streaming';
  return (
    <>
      {chat.messages.map(({ id, role, parts }) => (
        <p key={id}>
          {role}: {parts.map((part) => (part.type === 'text' ? part.text : ''))}
        </p>
      ))}
      {chat.error && <p role="alert">{chat.error.message}</p>}
      <StreamStatus resumption={chat.resumption} onRetry={() => void chat.retry()} />
      <button disabled={isBusy} onClick={() => void chat.sendMessage({ text: 'Why is water wet?' })}>
        Ask
      </button>
      <button onClick={() => void chat.stop()}>Stop</button>
    </>
  );
}
