import { backoffMs } from './backoff.ts';
import type { RedisClient } from './clients.ts';

/** Milliseconds between signs of life on a connection of ours, and without any before it counts as dead. */
export const PING_MS = 2_000;
export const SILENCE_MS = 6_000;

/**
 * A connection of our own for messages, made like another. It reconnects for as long as it is wanted, and
 * subscribes again by itself.
 *
 * @param onGap called when it is back after a break: messages in between are lost.
 */
export function createSubscriber(like: RedisClient, onGap: () => void): RedisClient {
  const subscriber = like.duplicate({
    socket: { ...like.options?.socket, reconnectStrategy: backoffMs, socketTimeout: SILENCE_MS },
    pingInterval: PING_MS,
    disableOfflineQueue: false,
    // What a client that is shared for commands may have, and one for messages has no use for.
    clientSideCache: undefined,
    emitInvalidate: false,
    maintNotifications: 'disabled',
  });
  let connected = false;
  subscriber.on('ready', () => {
    if (connected) onGap();
    connected = true;
  });
  subscriber.on('error', ignore);
  return subscriber;
}

/** For `error` events: every command that an error hits is rejected with it. */
export function ignore(): void {
  return undefined;
}

/** Resolves with the promise, rejects when the signal aborts first. */
export function before<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason as Error);
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
