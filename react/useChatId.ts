import { useCallback, useState } from 'react';
import { randomId } from '../core-client/fingerprint.ts';

/**
 * Returns the given chat id, or one that this tab stores in `sessionStorage`: a reload gets the same id, another tab
 * gets its own.
 *
 * @returns the id, and a function that replaces a stored id which another tab has too.
 */
export function useChatId(
  given: string | undefined,
  api = '/api/chat',
  prefix = 'durable-proxy',
): readonly [id: string, replace: (duplicate: string) => void] {
  const [own, setOwn] = useState(() => (given === undefined ? storedId(api, prefix) : undefined));
  const replace = useCallback((duplicate: string) => setOwn(storedId(api, prefix, duplicate)), [api, prefix]);
  if (given !== undefined) return [given, replace];
  if (own !== undefined) return [own, replace];
  const id = storedId(api, prefix);
  setOwn(id);
  return [id, replace];
}

/** Returns the stored id, one for each path and endpoint. A page with several chats passes an id for each. */
function storedId(api: string, prefix: string, duplicate?: string): string {
  const fresh = randomId();
  try {
    const key = `${prefix}:chat-id:${location.pathname}:${api}`;
    const stored = sessionStorage.getItem(key);
    if (stored && stored !== duplicate) return stored;
    sessionStorage.setItem(key, fresh);
    return fresh;
  } catch {
    // On a server, or if the browser forbids storage: the chat survives drops but not a reload.
    return fresh;
  }
}
