import { hashKey, useQuery, useQueryClient } from '@tanstack/react-query';
import type { EventSourceMessage } from 'eventsource-parser';
import { useCallback, useEffect, useRef, useSyncExternalStore } from 'react';
import { isDurableNetworkError } from '../core-client/errors.ts';
import type { DurableFetchOptions, Resumption } from '../core-client/types.ts';
import { onWake } from '../core-client/wake.ts';
import { EMPTY } from './fetch-session.ts';
import { FetchSessions } from './fetch-sessions.ts';
import type { ParseMode } from './parsers.ts';

/** Options of `useDurableFetch`. */
export interface UseDurableFetchOptions extends Omit<DurableFetchOptions, 'resumeFrom'> {
  /**
   * Name of the unfinished answer, by which a reload and `durableFetch.resume()` find it. It belongs to one request at a
   * time: another URL, method or body with the same name is a new request. By default a hash of URL, method and body.
   */
  requestId?: string | undefined;
  /** Name by which other devices find the answer. By default `requestId`. */
  streamKey?: string | undefined;
  /** Method of the request. By default POST with a body, else GET. */
  method?: string | undefined;
  /** Headers for the upstream. `Authorization` is for the upstream, not for the proxy. */
  headers?: HeadersInit | undefined;
  /** Body of the request. A string is sent as it is, anything else as JSON. */
  body?: string | object | undefined;
  /** Format of the response's body. @default 'text' */
  parse?: ParseMode | undefined;
  /** Set to false to send no request yet. @default true */
  enabled?: boolean | undefined;
  /** Minimum milliseconds between two renders for new text. A change of `status` renders at once. @default 50 */
  throttleMs?: number | undefined;
}

/** `idle`: no request was sent. `streaming`: the first bytes have arrived. `aborted`: the answer was stopped. */
export type DurableFetchStatus = 'idle' | 'loading' | 'streaming' | 'success' | 'aborted' | 'error';

/** Result of `useDurableFetch`. */
export interface UseDurableFetchResult<DATA, EVENT> {
  /** The whole answer, once it is complete: the text, the JSON value, or all events. */
  readonly data: DATA | undefined;
  /** The body so far. */
  readonly text: string;
  /** The events (`sse`) or values (`ndjson`) so far. */
  readonly events: readonly EVENT[];
  /** State of the request. */
  readonly status: DurableFetchStatus;
  /** Why the request failed. `null` if it did not fail, or was aborted. */
  readonly error: Error | null;
  /** State of the connection to the answer. */
  readonly resumption: Resumption;
  /** Stops the answer on the server. Rejects if the request to stop it failed. */
  readonly abort: () => Promise<void>;
  /**
   * After an error: resumes an answer whose connection was lost, without a second upstream request. If the answer itself
   * failed, sends the request again. Does nothing in any other status. Never rejects.
   */
  readonly retry: () => Promise<void>;
  /** Sends the request again, even after a complete answer. Does nothing while a request runs. */
  readonly refetch: () => Promise<void>;
  /**
   * Clears the answers of this user (`scope`) in all components, and removes everything that is stored for the user.
   * Call it when the user logs out. The answers continue on the server. No request is sent until a component mounts
   * or calls `refetch`.
   * @throws DurableStorageError if the storage does not list its keys.
   */
  readonly forget: () => Promise<void>;
}

/**
 * Sends one request through the proxy, and returns the text while it arrives and the value once it is complete. The
 * answer survives lost connections and reloads, and neither StrictMode nor an unmount sends the request twice. Uses
 * `@tanstack/react-query`.
 *
 * @param url the URL of the upstream.
 * @param options where the proxy is, the request, and how to parse the response.
 * @example
 * const { text, status, abort } = useDurableFetch('https://api.example.com/essay', { proxyUrl: '/v1/proxy' });
 */
export function useDurableFetch(
  url: string,
  options: UseDurableFetchOptions & { parse: 'sse' },
): UseDurableFetchResult<readonly EventSourceMessage[], EventSourceMessage>;
/**
 * Sends one request and parses each line of the response as JSON.
 * @param url the URL of the upstream.
 * @param options where the proxy is, the request, and how to parse the response.
 */
export function useDurableFetch<VALUE = unknown>(
  url: string,
  options: UseDurableFetchOptions & { parse: 'ndjson' },
): UseDurableFetchResult<readonly VALUE[], VALUE>;
/**
 * Sends one request and parses the whole response as JSON.
 * @param url the URL of the upstream.
 * @param options where the proxy is, the request, and how to parse the response.
 */
export function useDurableFetch<VALUE = unknown>(
  url: string,
  options: UseDurableFetchOptions & { parse: 'json' },
): UseDurableFetchResult<VALUE, never>;
/**
 * Sends one request and returns the response as text (the default).
 * @param url the URL of the upstream.
 * @param options where the proxy is, the request, and how to parse the response.
 */
export function useDurableFetch(
  url: string,
  options: UseDurableFetchOptions,
): UseDurableFetchResult<string, never>;
export function useDurableFetch(
  url: string,
  { body: content, parse = 'text', enabled = true, throttleMs = 50, ...options }: UseDurableFetchOptions,
): UseDurableFetchResult<unknown, unknown> {
  const client = useQueryClient();
  const { requestId, method, proxyUrl, scope, wake } = options;
  const body = content === undefined || typeof content === 'string' ? content : JSON.stringify(content);
  const headers = new Headers(options.headers);
  if (typeof content === 'object' && !headers.has('content-type'))
    headers.set('content-type', 'application/json');
  const queryKey = ['durable-proxy', proxyUrl, requestId, [url, method, body], parse, scope];
  const hash = hashKey(queryKey);
  const sessions = FetchSessions.of(client);
  const request = { ...options, url, body, headers, parse, throttleMs };
  const session = sessions.get(hash, request);

  const query = useQuery({
    queryKey,
    queryFn: () => sessions.run(hash, queryKey, request),
    enabled,
    // Another answer costs money. Only `refetch` requests one.
    staleTime: Infinity,
    retry: false,
    retryOnMount: false,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
    structuralSharing: false,
    networkMode: 'always',
  });
  const { data, error, fetchStatus, refetch: queryRefetch } = query;

  const { text, events, resumption } = useSyncExternalStore(
    session.subscribe,
    session.getSnapshot,
    () => EMPTY,
  );

  const refetch = useCallback(async () => {
    await queryRefetch({ cancelRefetch: false });
  }, [queryRefetch]);
  const isLost = isDurableNetworkError(error);
  const isShown = useRef(false);
  // Sending the same request again resumes the answer. The upstream is not called a second time.
  useEffect(() => {
    if (!isLost) return undefined;
    // While the component was hidden (<Activity>), no listener noticed that the network came back.
    if (!isShown.current) void refetch();
    return onWake(() => void refetch(), wake);
  }, [isLost, refetch, wake]);
  useEffect(() => {
    isShown.current = true;
    return () => void (isShown.current = false);
  }, []);

  const isFetching = fetchStatus === 'fetching';
  const isAborted = error !== null && resumption.status === 'aborted';
  const status = ((): DurableFetchStatus => {
    if (isFetching) return resumption.receivedBytes > 0 ? 'streaming' : 'loading';
    if (isAborted) return 'aborted';
    if (error) return 'error';
    return query.isSuccess ? 'success' : 'idle';
  })();
  const abort = useCallback(() => session.abort(), [session]);
  // After a complete answer, react-query keeps the error of a later run until the next run ends.
  const shownError = isFetching || isAborted ? null : error;
  const forget = useCallback(() => sessions.forget(session), [sessions, session]);
  const canRetry = shownError !== null;
  const retry = useCallback(async () => {
    if (canRetry) await refetch();
  }, [canRetry, refetch]);
  return { data, text, events, status, error: shownError, resumption, abort, retry, refetch, forget };
}
