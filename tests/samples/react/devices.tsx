import type { UIMessage } from '@ai-sdk/react';
import { useDurableChat } from 'durable-proxy/react';

export function useMyChat(id: string, messages: UIMessage[]) {
  return useDurableChat({
    id,
    messages,
    api: '/api/chat',
    proxyUrl: '/v1/proxy',
    followDevices: true,
    async fetchMessages({ signal }) {
      const response = await fetch(`/api/messages/${id}`, { signal });
      if (!response.ok) throw new Error(`The messages could not be loaded: ${response.status}`);
      return (await response.json()) as UIMessage[];
    },
  });
}
