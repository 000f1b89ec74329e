import { useChat, type UIMessage, type UseChatHelpers } from '@ai-sdk/react';
import { useEffect, useMemo, useState, useSyncExternalStore } from 'react';
import { jwtSubject } from '../core-client/scope.ts';
import { IDLE } from '../core-client/state.ts';
import type { Resumption } from '../core-client/types.ts';
import { ChatController, type ChatControllerOptions } from './chat-controller.ts';
import { throttledSource } from './throttled-source.ts';
import { useChatId } from './useChatId.ts';

/** Options of `useChat` except `chat`, `transport` and `resume`, and options of the transport. */
export type UseDurableChatOptions<MESSAGE extends UIMessage = UIMessage> = ChatControllerOptions<MESSAGE> & {
  /**
   * The chat's id, the same on every device. By default an id that this tab stores: a reload keeps it, other devices
   * cannot know it.
   */
  id?: string | undefined;
  /**
   * Minimum milliseconds between two renders for new parts and for progress of the resumption.
   * @default 0, no limit.
   */
  throttle?: number | undefined;
  /** Name of `throttle` in AI SDK 5 and 6. */
  experimental_throttle?: number | undefined;
};

/** Result of `useChat`, with the state of the answer. */
export type UseDurableChatHelpers<MESSAGE extends UIMessage = UIMessage> = UseChatHelpers<MESSAGE> & {
  /** State of the connection to the answer in progress. */
  readonly resumption: Resumption;
  /** Stops the answer, on the server too. Leaving the page does not stop it. */
  readonly stop: () => Promise<void>;
  /** After an error: resumes the answer if it is still in progress, otherwise replaces it with a new one. */
  readonly retry: () => Promise<void>;
  /**
   * Removes the messages and everything stored for this user (`scope`), and stops reading the answer without stopping
   * it on the server. Call it when the user logs out. Afterwards the chat resumes no answer by itself until the user
   * sends a message.
   * @throws DurableStorageError if the storage failed or cannot list its keys.
   */
  readonly forget: () => Promise<void>;
};

/**
 * `useChat` with answers that survive lost connections, reloads and deploys, and that appear in every tab of the chat.
 *
 * @param options options of `useChat` without `transport`, and options of the connection.
 * @returns the result of `useChat`, with `resumption`, `retry` and `forget`. `stop` stops the answer on the server too.
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
    controller: new ChatController<MESSAGE>(
      { id, isShared: givenId !== undefined, onDuplicate: replaceId },
      rest,
    ),
  });
  const [previous, setCurrent] = useState(create);
  let current = previous;
  if (previous.id !== id || previous.user !== user || previous.proxyUrl !== rest.proxyUrl) {
    current = create();
    setCurrent(current);
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
    // The installed SDK uses one of the two names.
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
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- the SDK still returns it
    addToolResult: addToolOutput,
  };
}
