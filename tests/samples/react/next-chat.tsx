'use client';
import type { UIMessage } from '@ai-sdk/react';
import { useDurableChat } from 'durable-proxy/react';

/** Called for each request to the proxy, and once more if the proxy responds 401. */
async function proxyAuthorization(): Promise<string> {
  const response = await fetch('/api/proxy-token');
  return response.ok ? response.text() : ''; // Without a token the proxy responds 401.
}

const isSignedOut = (error: Error) => 'status' in error && error.status === 401;

export function Chat({ id, messages }: { id: string; messages: UIMessage[] }) {
  const chat = useDurableChat({
    id,
    messages,
    api: '/api/chat',
    proxyUrl: 'https://proxy.example.com/v1/proxy',
    proxyAuthorization,
  });
  const isBusy = chat.status === 'submitted' || chat.status === 'streaming';
  return (
    <>
      {chat.messages.map(({ id, role, parts }) => (
        <p key={id}>
          {role}: {parts.map((part) => (part.type === 'text' ? part.text : ''))}
        </p>
      ))}
      {chat.error && <p role="alert">{isSignedOut(chat.error) ? 'Sign in again.' : chat.error.message}</p>}
      <button disabled={isBusy} onClick={() => void chat.sendMessage({ text: 'Why is water wet?' })}>
        Ask
      </button>
    </>
  );
}
