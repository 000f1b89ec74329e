import { pageUrl } from '../request.ts';
import type { ChatMessage } from './turns.ts';

/** A value, a promise of it, or a function that returns either. The function is called for each request. */
export type Resolvable<T> = T | Promise<T> | (() => T | Promise<T>);

/** Arguments that the AI SDK passes to `sendMessages`, in any major version. */
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

/**
 * Builds the request to the endpoint, as in the AI SDK's own transport.
 * @param options what the AI SDK passes to its own `prepareSendMessagesRequest`: the chat's id, messages and trigger,
 *   and the URL, headers, body and credentials of the request as they are so far.
 */
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

/** The request to the endpoint, as `prepareSendMessagesRequest` returns it. */
export interface PreparedRequest {
  /** Sent as JSON. */
  body: object;
  /** Headers of the request. @default those of the transport */
  headers?: HeadersInit;
  /** Sent to the proxy, as for `fetch`. @default those of the transport */
  credentials?: RequestCredentials;
  /** URL of the endpoint. @default that of the transport */
  api?: string;
}

export interface ChatRequestOptions<MESSAGE> {
  /** URL of the chat endpoint, absolute or relative to the page. @default '/api/chat' */
  api?: string | undefined;
  /** Headers of each request. `Authorization` is sent to the endpoint, not to the proxy. @default none */
  headers?: Resolvable<Record<string, string> | Headers> | undefined;
  /** Additional fields of each request's body. @default none */
  body?: Resolvable<object> | undefined;
  /**
   * Builds the request from the messages, as in the AI SDK.
   * @default `{ ...body, id, messages, trigger, messageId }` as JSON
   */
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

/** Returns the request that the AI SDK's own transport would send. */
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

/** Resolves a URL against the page: the proxy needs an absolute one. @throws Error if it is relative and there is no page. */
export function absoluteUrl(url: string): string {
  try {
    return new URL(url, pageUrl()).href;
  } catch (cause) {
    throw new Error(
      `"${url}" is relative, and there is no page to resolve it against. Example: https://example.com/api/chat`,
      {
        cause,
      },
    );
  }
}

/** Resolves a value, a promise, or the return value of a function. */
export async function resolve<T extends object>(value: Resolvable<T> | undefined): Promise<T | undefined> {
  return typeof value === 'function' ? value() : value;
}

/** Returns the id of the assistant message that the SDK continues: the one it names, or else the last one. */
export function continuedMessage<MESSAGE extends ChatMessage>(
  call: SendMessagesOptions<MESSAGE>,
): string | undefined {
  if (call.trigger !== 'submit-message') return undefined;
  const message = call.messages.find(({ id }) => id === call.messageId) ?? call.messages.at(-1);
  return message?.role === 'assistant' ? message.id : undefined;
}
