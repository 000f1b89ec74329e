import { hashKey, useQuery, useQueryClient } from '@tanstack/react-query';
import type { EventSourceMessage } from 'eventsource-parser';
import { useCallback, useEffect, useRef, useSyncExternalStore } from 'react';
import { isDurableNetworkError } from '../core-client/errors.ts';
import type { DurableFetchOptions, Resumption } from '../core-client/types.ts';
import { onWake } from '../core-client/wake.ts';
import { EMPTY } from './fetch-session.ts';
import { FetchSessions } from './fetch-sessions.ts';
import type { ParseMode } from './parsers.ts';

export interface UseDurableFetchOptions extends Omit<DurableFetchOptions, 'resumeFrom'> {
  /**
   * Name under which the unfinished answer is stored, so that a reload resumes it, and found by `durableFetch.resume()`.
   * It stands for one request at a time: another URL, method or body under the same name is a new request. Default:
   * a hash of URL, method and body.
   */
  requestId?: string | undefined;
  /** The name under which other devices find it. Default: `requestId`. */
  streamKey?: string | undefined;
  /** Default: POST with a body, else GET. */
  method?: string | undefined;
  /** For the upstream; `Authorization` reaches it, not the proxy. */
  headers?: HeadersInit | undefined;
  /** A text as it is; anything else as JSON. */
  body?: string | object | undefined;
  /** How the body is read. Default `text`. */
  parse?: ParseMode | undefined;
  /** False: nothing is asked for yet. Default true. */
  enabled?: boolean | undefined;
  /** Milliseconds between two renders for new text; a change of `status` renders at once. @default 50 */
  throttleMs?: number | undefined;
}

/** Beside react-query's `pending`: `idle` was not asked for, `streaming` has begun, `aborted` was stopped. */
export type DurableFetchStatus = 'idle' | 'loading' | 'streaming' | 'success' | 'aborted' | 'error';

export interface UseDurableFetchResult<DATA, EVENT> {
  /** The whole answer, once it is there: the text, the JSON value, or all events. */
  readonly data: DATA | undefined;
  /** The body so far. */
  readonly text: string;
  /** The events (`sse`) or values (`ndjson`) so far. */
  readonly events: readonly EVENT[];
  readonly status: DurableFetchStatus;
  readonly error: Error | null;
  readonly resumption: Resumption;
  /** Stops the answer on the server. Rejects when it could not be told. */
  readonly abort: () => Promise<void>;
  /**
   * After an error: resumes an answer that the network cut off, without a second upstream request. If the answer itself
   * failed, sends the request again. In any other status it does nothing. Never rejects.
   */
  readonly retry: () => Promise<void>;
  /** Sends the request again once it is over, also after a whole answer. While it runs, does nothing. */
  readonly refetch: () => Promise<void>;
  /**
   * For logging out: clears the answers of this user (`scope`) in all components, and removes what is stored for the user.
   * The answers continue on the server. Nothing is requested again until a component mounts or calls `refetch`.
   * @throws DurableStorageError if the storage does not list its keys.
   */
  readonly forget: () => Promise<void>;
}

/**
 * One answer through the proxy: its text while it comes, its value when it is there. It survives drops and
 * reloads, and neither StrictMode nor an unmount asks for it twice. Stands on @tanstack/react-query.
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
 * The same for `parse: 'ndjson'`.
 * @param url the URL of the upstream.
 * @param options where the proxy is, the request, and how to parse the response.
 */
export function useDurableFetch<VALUE = unknown>(
  url: string,
  options: UseDurableFetchOptions & { parse: 'ndjson' },
): UseDurableFetchResult<readonly VALUE[], VALUE>;
/**
 * The same for `parse: 'json'`.
 * @param url the URL of the upstream.
 * @param options where the proxy is, the request, and how to parse the response.
 */
export function useDurableFetch<VALUE = unknown>(
  url: string,
  options: UseDurableFetchOptions & { parse: 'json' },
): UseDurableFetchResult<VALUE, never>;
/**
 * The same for text.
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
    // The answer is what it is: another one costs money, and is asked for by `refetch` alone.
    staleTime: Infinity,
    retry: false,
    retryOnMount: false,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
    structuralSharing: false,
    networkMode: 'always',
  });
  const { data, error, fetchStatus, refetch: ask } = query;

  const { text, events, resumption } = useSyncExternalStore(
    session.subscribe,
    session.getSnapshot,
    () => EMPTY,
  );

  const refetch = useCallback(async () => {
    await ask({ cancelRefetch: false });
  }, [ask]);
  const isLost = isDurableNetworkError(error);
  const isShown = useRef(false);
  // The same request again resumes what the network cut off; it is no second one.
  useEffect(() => {
    if (!isLost) return undefined;
    // The network may have come back while the page was hidden (<Activity>) and nothing listened.
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
  // After a whole answer, react-query keeps the error of a later run until the next one ends.
  const shownError = isFetching || isAborted ? null : error;
  const forget = useCallback(() => sessions.forget(session), [sessions, session]);
  const canRetry = shownError !== null;
  const retry = useCallback(async () => {
    if (canRetry) await refetch();
  }, [canRetry, refetch]);
  return { data, text, events, status, error: shownError, resumption, abort, retry, refetch, forget };
}
