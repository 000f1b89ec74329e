import { useCallback, useState } from 'react';
import { randomId } from '../core-client/fingerprint.ts';

/**
 * Returns the id that a chat was given, else one that this tab keeps: a reload finds it again, another tab has
 * its own. The second value replaces an id that turned out to be another tab's.
 */
export function useChatId(
  given: string | undefined,
  api = '/api/chat',
  prefix = 'durable-proxy',
): readonly [id: string, replace: (taken: string) => void] {
  const [own, setOwn] = useState(() => (given === undefined ? keptId(api, prefix) : undefined));
  const replace = useCallback((taken: string) => setOwn(keptId(api, prefix, taken)), [api, prefix]);
  if (given !== undefined) return [given, replace];
  if (own !== undefined) return [own, replace];
  const id = keptId(api, prefix);
  setOwn(id);
  return [id, replace];
}

/** Chats of one page that ask the same endpoint share it: who has several gives them ids. */
function keptId(api: string, prefix: string, taken?: string): string {
  const fresh = randomId();
  try {
    const key = `${prefix}:chat-id:${location.pathname}:${api}`;
    const kept = sessionStorage.getItem(key);
    if (kept && kept !== taken) return kept;
    sessionStorage.setItem(key, fresh);
    return fresh;
  } catch {
    // On a server, and where the browser forbids it: the chat survives drops, but no reload.
    return fresh;
  }
}
