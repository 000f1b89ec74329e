import type { UIMessage } from '@ai-sdk/react';
import { useDurableChat } from 'durable-proxy/react';

export function useMyChat(id: string, messages: UIMessage[]) {
  return useDurableChat({ id, messages, api: '/api/chat', proxyUrl: '/v1/proxy' });
}
