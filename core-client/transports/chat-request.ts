import { pageUrl } from '../request.ts';
import type { ChatMessage } from './turns.ts';

/** A value, a promise of it, or a function that gives either and is asked at every request. */
export type Resolvable<T> = T | Promise<T> | (() => T | Promise<T>);

/** What the AI SDK passes to `sendMessages`, in any major. */
export interface SendMessagesOptions<MESSAGE> {
  readonly trigger: 'submit-message' | 'regenerate-message';
  readonly chatId: string;
  readonly messageId: string | undefined;
  readonly messages: MESSAGE[];
  readonly abortSignal: AbortSignal | undefined;
  readonly headers?: Record<string, string> | Headers | undefined;
  readonly body?: object | undefined;
  readonly metadata?: unknown;
}

/** As in the AI SDK's own transport. */
export type PrepareSendMessagesRequest<MESSAGE> = (options: {
  id: string;
  messages: MESSAGE[];
  requestMetadata: unknown;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as the AI SDK declares it, so that functions written for it fit
  body: Record<string, any> | undefined;
  credentials: RequestCredentials | undefined;
  headers: HeadersInit | undefined;
  api: string;
  trigger: 'submit-message' | 'regenerate-message';
  messageId: string | undefined;
}) => PreparedRequest | PromiseLike<PreparedRequest>;

/** What `prepareSendMessagesRequest` returns: the request to the endpoint. */
export interface PreparedRequest {
  body: object;
  headers?: HeadersInit;
  credentials?: RequestCredentials;
  api?: string;
}

export interface ChatRequestOptions<MESSAGE> {
  /** The chat's endpoint, absolute or relative to the page. Default `/api/chat`. */
  api?: string | undefined;
  /** Added to every request; `Authorization` reaches the endpoint, not the proxy. */
  headers?: Resolvable<Record<string, string> | Headers> | undefined;
  /** Fields added to every request's body. */
  body?: Resolvable<object> | undefined;
  /** Builds the request from the messages, as in the AI SDK. Default: `{...body, id, messages, trigger, messageId}`. */
  prepareSendMessagesRequest?: PrepareSendMessagesRequest<MESSAGE> | undefined;
}

export interface ChatRequest {
  readonly url: string;
  readonly init: {
    readonly method: 'POST';
    readonly headers: Headers;
    readonly body: string;
    readonly credentials?: RequestCredentials;
  };
}

/** The request that the AI SDK's own transport would send. */
export async function chatRequest<MESSAGE extends ChatMessage>(
  options: ChatRequestOptions<MESSAGE> & { readonly credentials?: RequestCredentials | undefined },
  call: SendMessagesOptions<MESSAGE>,
): Promise<ChatRequest> {
  const api = options.api ?? '/api/chat';
  const body = { ...(await resolve(options.body)), ...call.body };
  const headers = new Headers(await resolve(options.headers));
  new Headers(call.headers).forEach((value, name) => headers.set(name, value));

  const prepared = await options.prepareSendMessagesRequest?.({
    id: call.chatId,
    messages: call.messages,
    requestMetadata: call.metadata,
    body,
    credentials: options.credentials,
    headers: Object.fromEntries(headers),
    api,
    trigger: call.trigger,
    messageId: call.messageId,
  });

  const sent = prepared?.headers === undefined ? headers : new Headers(prepared.headers);
  if (!sent.has('content-type')) sent.set('content-type', 'application/json');
  const { chatId: id, messages, trigger, messageId } = call;
  const credentials = prepared?.credentials ?? options.credentials;
  return {
    url: absoluteUrl(prepared?.api ?? api),
    init: {
      method: 'POST',
      headers: sent,
      body: JSON.stringify(prepared?.body ?? { ...body, id, messages, trigger, messageId }),
      ...(credentials && { credentials }),
    },
  };
}

/** Resolves against the page. The proxy, which calls it, has no page: so without one it must be absolute. */
export function absoluteUrl(url: string): string {
  try {
    return new URL(url, pageUrl()).href;
  } catch (cause) {
    throw new Error(
      `There is no page to resolve "${url}" against: give a whole URL, https://example.com/api/chat.`,
      {
        cause,
      },
    );
  }
}

export async function resolve<T extends object>(value: Resolvable<T> | undefined): Promise<T | undefined> {
  return typeof value === 'function' ? value() : value;
}
