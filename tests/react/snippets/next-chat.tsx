'use client';
import type { UIMessage } from '@ai-sdk/react';
import { useDurableChat } from 'durable-proxy/react';

/** Asked for at each request to the proxy, and once more when it says 401. */
const proxyAuthorization = async () => (await fetch('/api/proxy-token')).text();

export function Chat({ id, messages }: { id: string; messages: UIMessage[] }) {
  const chat = useDurableChat({
    id,
    messages,
    api: '/api/chat',
    proxyUrl: 'https://proxy.example.com/v1/proxy',
    proxyAuthorization,
  });
  return <output>{chat.messages.length}</output>;
}
