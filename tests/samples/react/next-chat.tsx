'use client';
import type { UIMessage } from '@ai-sdk/react';
import { useDurableChat } from 'durable-proxy/react';

/** Called for each request to the proxy, and once more if the proxy responds 401. */
async function proxyAuthorization(): Promise<string> {
  const response = await fetch('/api/proxy-token');
  if (!response.ok) throw new Error(`No token for the proxy: status ${response.status}. Sign in again.`);
  return response.text();
}

export function Chat({ id, messages }: { id: string; messages: UIMessage[] }) {
  const chat = useDurableChat({
    id,
    messages,
    api: '/api/chat',
    proxyUrl: 'https://proxy.example.com/v1/proxy',
    proxyAuthorization,
  });
  return (
    <>
      {chat.messages.map(({ id, role, parts }) => (
        <p key={id}>
          {role}: {parts.map((part) => (part.type === 'text' ? part.text : ''))}
        </p>
      ))}
      {chat.error && <p role="alert">{chat.error.message}</p>}
      <button onClick={() => void chat.sendMessage({ text: 'Why is water wet?' })}>Ask</button>
    </>
  );
}
