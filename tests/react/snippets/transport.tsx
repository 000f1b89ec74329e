import { useChat } from '@ai-sdk/react';
import { createDurableChatTransport } from 'durable-proxy/transports';

const transport = createDurableChatTransport({ api: '/api/chat', proxyUrl: '/v1/proxy' });

export function Chat({ id }: { id: string }) {
  const { messages, stop } = useChat({ id, transport, resume: true });
  const stopForGood = async () => {
    await transport.abort(id);
    await stop();
  };
  return <button onClick={() => void stopForGood()}>Stop after {messages.length}</button>;
}
