import { useDurableChat } from 'durable-proxy/react/chat';
import { DurableDevtools } from 'durable-proxy/react/devtools';

export function App() {
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
      <button disabled={isBusy} onClick={() => void chat.sendMessage({ text: 'Why is water wet?' })}>
        Ask
      </button>
      <button onClick={() => void chat.stop()}>Stop</button>
      <DurableDevtools />
    </>
  );
}
