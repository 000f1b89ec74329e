import { backoffMs } from './backoff.ts';
import type { RedisClient } from './clients.ts';

/** Milliseconds between pings on our connections, and without data after which a connection counts as dead. */
export const PING_MS = 2_000;
export const SILENCE_MS = 6_000;

/**
 * Opens a connection for messages, with the options of another client. It reconnects until it is closed, and subscribes
 * again by itself.
 *
 * @param onGap called when it has reconnected: messages in between are lost.
 */
export function createSubscriber(like: RedisClient, onGap: () => void): RedisClient {
  const subscriber = like.duplicate({
    socket: { ...like.options?.socket, reconnectStrategy: backoffMs, socketTimeout: SILENCE_MS },
    pingInterval: PING_MS,
    disableOfflineQueue: false,
    // Options of a shared client for commands that do not apply to a client for messages.
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

/** Listener for `error` events, which can be ignored: each affected command is rejected with the error. */
export function ignore(): void {
  return undefined;
}
