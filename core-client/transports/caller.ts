import { createCall } from '../call.ts';
import { callerOf, subjectOf, type Caller } from '../scope.ts';
import { mergeSettings } from '../settings.ts';
import type { DurableFetchOptions } from '../types.ts';
import { resolve, type Resolvable } from './chat-request.ts';

type RequestHeaders = Record<string, string> | Headers;

export type CallerOptions = Omit<DurableFetchOptions, 'proxyUrl'> & {
  readonly headers?: Resolvable<RequestHeaders> | undefined;
};

/** Who makes a request to a chat endpoint, and the headers that were asked for to know it. */
export interface ChatCaller extends Caller {
  readonly headers: RequestHeaders | undefined;
}

/**
 * Resolves the caller of a chat. Without the option `scope`, the user of an `Authorization` for the endpoint (`headers`)
 * is part of the scope, as is the user of the proxy: one of the two may be the same for all users.
 * @throws what the functions in the options throw.
 */
export async function chatCaller(options: CallerOptions): Promise<ChatCaller> {
  const headers = await resolve(options.headers);
  const caller = await callerOf(options);
  const authorization = new Headers(headers).get('authorization');
  if (options.scope !== undefined || !authorization) return { ...caller, headers };
  return { ...caller, headers, scope: JSON.stringify([caller.scope, subjectOf(authorization)]) };
}

/**
 * Resolves the caller like `chatCaller`, and retries for `retryTimeoutMs`, like a request to the proxy: the function
 * that returns the token may need a network that is down.
 * @throws DurableNetworkError if the time is over, the signal's reason if it is aborted.
 */
export async function chatCallerOnline(
  options: CallerOptions & { readonly proxyUrl: string },
  signal: AbortSignal | undefined,
): Promise<ChatCaller> {
  const headers = await resolve(options.headers);
  const known = { ...options, headers };
  if (options.scope !== undefined || typeof options.proxyAuthorization !== 'function')
    return chatCaller(known);
  const settings = mergeSettings(options.storage!, options, {});
  const call = createCall(settings, {});
  const ask = async () => {
    try {
      return await chatCaller(known);
    } catch (error) {
      call.dispatch('creating');
      throw error;
    }
  };
  try {
    const caller = await call.withSignal(signal, call.persist('request', ask));
    // From now on, the request to the proxy reports its state.
    settings.onResumption = undefined;
    call.end('idle', 'interrupted');
    return caller;
  } catch (error) {
    throw call.fail(error);
  }
}
