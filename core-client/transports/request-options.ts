import type { Caller } from '../scope.ts';
import type { DurableRequestInit } from '../types.ts';
import type { ChatConnectionOptions } from './chat-connection-options.ts';
import type { ChatMessage } from './turns.ts';

/**
 * Returns the options of a request to the proxy.
 * @param scope name of the caller's scope.
 * @param caller the caller whose authorization is used. @default the authorization in `options`
 */
export function requestOptions<MESSAGE extends ChatMessage>(
  options: ChatConnectionOptions<MESSAGE>,
  scope: string,
  caller?: Caller,
): DurableRequestInit {
  return {
    scope,
    proxyAuthorization: caller ? caller.proxyAuthorization : options.proxyAuthorization,
    authorizationInQuery: options.authorizationInQuery,
    onWarning: options.onWarning,
    wake: options.wake,
    debug: options.debug,
  };
}

/** Returns the options of a request to the proxy for an answer, which may take long. */
export function answerOptions<MESSAGE extends ChatMessage>(
  options: ChatConnectionOptions<MESSAGE>,
  scope: string,
  caller: Caller,
): DurableRequestInit {
  return {
    ...requestOptions(options, scope, caller),
    autoResume: options.autoResume,
    abortUpstream: options.abortUpstream,
    maxReconnectAttempts: options.maxReconnectAttempts,
    reconnectTimeoutMs: options.reconnectTimeoutMs,
    retryTimeoutMs: options.retryTimeoutMs,
    heartbeatTimeoutMs: options.heartbeatTimeoutMs,
  };
}
