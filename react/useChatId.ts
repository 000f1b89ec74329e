import { useState } from 'react';
import { randomId } from '../core-client/fingerprint.ts';

/** The id that a chat was given, else one that this tab keeps: a reload finds it again, another tab has its own. */
export function useChatId(given: string | undefined, api = '/api/chat', prefix = 'durable-proxy'): string {
  const [own, setOwn] = useState(() => (given === undefined ? keptId(api, prefix) : undefined));
  if (given !== undefined) return given;
  if (own !== undefined) return own;
  const id = keptId(api, prefix);
  setOwn(id);
  return id;
}

/** Chats of one page that ask the same endpoint share it: who has several gives them ids. */
function keptId(api: string, prefix: string): string {
  const fresh = randomId();
  try {
    const key = `${prefix}:chat-id:${location.pathname}:${api}`;
    const kept = sessionStorage.getItem(key);
    if (!kept) sessionStorage.setItem(key, fresh);
    return kept ?? fresh;
  } catch {
    // On a server, and where the browser forbids it: the chat survives drops, but no reload.
    return fresh;
  }
}
