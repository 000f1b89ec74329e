import { useChat, type UIMessage, type UseChatHelpers } from '@ai-sdk/react';
import { useEffect, useMemo, useState, useSyncExternalStore } from 'react';
import { jwtSubject } from '../core-client/scope.ts';
import { IDLE } from '../core-client/state.ts';
import type { Resumption } from '../core-client/types.ts';
import { ChatController, type ChatControllerOptions } from './chat-controller.ts';
import { throttledSource } from './throttled-source.ts';
import { useChatId } from './useChatId.ts';

/** What `useChat` takes, but for `chat`, `transport` and `resume`, and what the transport takes. */
export type UseDurableChatOptions<MESSAGE extends UIMessage = UIMessage> = ChatControllerOptions<MESSAGE> & {
  /**
   * The chat's id, the same on every device. Default: one of this tab's own, which a reload keeps; other
   * devices cannot know it.
   */
  id?: string | undefined;
  /** Milliseconds between two renders for new parts and for progress of the resumption. Default: no limit. */
  throttle?: number | undefined;
  /** The same, by its name in 5 and 6. */
  experimental_throttle?: number | undefined;
};

/** What `useChat` gives, and where the answer stands. */
export type UseDurableChatHelpers<MESSAGE extends UIMessage = UIMessage> = UseChatHelpers<MESSAGE> & {
  /** Where the answer under way stands, as far as the network goes. */
  readonly resumption: Resumption;
  /** Stops the answer, on the server too. Leaving the page does not. */
  readonly stop: () => Promise<void>;
  /** After an error: the rest of the answer when it still comes, else a new one in its place. */
  readonly retry: () => Promise<void>;
  /**
   * Removes the messages and all that is stored for this user (`scope`), and releases the answer without stopping it.
   * For when the user logs out. Then the chat takes up no answer by itself until something is sent.
   * @throws DurableStorageError if the storage failed or cannot list its keys.
   */
  readonly forget: () => Promise<void>;
};

/**
 * `useChat` whose answers survive drops, reloads and deploys, and are seen by every tab of the chat.
 *
 * @param options the options of `useChat` without `transport`, and those of the connection.
 * @example
 * const { messages, sendMessage, stop, resumption } = useDurableChat({ api: '/api/chat', proxyUrl: '/v1/proxy' });
 */
export function useDurableChat<MESSAGE extends UIMessage = UIMessage>(
  options: UseDurableChatOptions<MESSAGE>,
): UseDurableChatHelpers<MESSAGE> {
  const { id: givenId, throttle, experimental_throttle: oldThrottle, ...rest } = options;
  const [id, replaceId] = useChatId(givenId, rest.api, rest.storagePrefix);
  const { scope, proxyAuthorization: authorization } = rest;
  const user = scope ?? (typeof authorization === 'string' ? jwtSubject(authorization) : undefined);
  const create = () => ({
    id,
    user,
    proxyUrl: rest.proxyUrl,
    controller: new ChatController<MESSAGE>(id, givenId !== undefined, rest, replaceId),
  });
  const [held, hold] = useState(create);
  let current = held;
  if (held.id !== id || held.user !== user || held.proxyUrl !== rest.proxyUrl) {
    current = create();
    hold(current);
  }
  const { controller } = current;

  useEffect(() => controller.update(rest));
  useEffect(() => controller.mount(), [controller]);

  const wait = throttle ?? oldThrottle;
  const { subscribe, getSnapshot } = useMemo(
    () => throttledSource(controller.resumption, wait),
    [controller, wait],
  );
  const resumption = useSyncExternalStore(subscribe, getSnapshot, () => IDLE);
  const helpers = useChat<MESSAGE>({
    chat: controller.chat,
    // Whichever of the two the installed SDK knows.
    ...(wait !== undefined && { throttle: wait, experimental_throttle: wait }),
  });
  const { stop, retry, resume, forget, addToolOutput } = controller;
  return {
    ...helpers,
    ...controller.decisions,
    resumption,
    stop,
    retry,
    forget,
    resumeStream: resume,
    addToolOutput,
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- the SDK still gives it, so it must do the same
    addToolResult: addToolOutput,
  };
}
