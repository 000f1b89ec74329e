import { useChat } from '@ai-sdk/react';
import { createDurableChatTransport } from 'durable-proxy/transports';

const transport = createDurableChatTransport({ api: '/api/chat', proxyUrl: '/v1/proxy' });

export function Chat({ id }: { id: string }) {
  const { messages, sendMessage, status, stop, error } = useChat({ id, transport, resume: true });
  const isBusy = status === 'submitted' || status === 'streaming';
  const stopAnswer = async () => {
    await transport.abort(id);
    await stop();
  };
  return (
    <>
      {messages.map(({ id, role, parts }) => (
        <p key={id}>
          {role}: {parts.map((part) => (part.type === 'text' ? part.text : ''))}
        </p>
      ))}
      {error && <p role="alert">{error.message}</p>}
      <button disabled={isBusy} onClick={() => void sendMessage({ text: 'Why is water wet?' })}>
        Ask
      </button>
      <button onClick={() => void stopAnswer()}>Stop</button>
    </>
  );
}
