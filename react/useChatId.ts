import { useState } from 'react';
import { randomId } from '../core-client/fingerprint.ts';

/**
 * An id for a chat that was given none. It lives in `sessionStorage`: a reload finds it again, another tab
 * has its own. Chats of one page that ask the same endpoint share it: who has several gives them ids.
 */
export function useChatId(api = '/api/chat', prefix = 'durable-proxy'): string {
  const [id] = useState(() => {
    try {
      const key = `${prefix}:chat-id:${location.pathname}:${api}`;
      const kept = sessionStorage.getItem(key);
      if (kept) return kept;
      const fresh = randomId();
      sessionStorage.setItem(key, fresh);
      return fresh;
    } catch {
      // On a server, and where the browser forbids it: the chat survives drops, but no reload.
      return randomId();
    }
  });
  return id;
}
