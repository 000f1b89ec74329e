/** The part of a chat message that the transport needs, in any major version of `ai`. */
export interface ChatMessage {
  /** Id of the message. */
  readonly id: string;
  /** Author of the message. */
  readonly role: string;
  /** Parts of the message. */
  readonly parts: readonly { readonly type: string }[];
}

/** The page's result of a client-side tool call, as for `addToolOutput`. */
export interface ToolResult {
  readonly tool: string;
  readonly toolCallId: string;
  readonly state?: 'output-available' | 'output-error' | undefined;
  readonly output?: unknown;
  readonly errorText?: string | undefined;
}

/**
 * One request of a chat, for other pages of the same chat: which message a replay belongs to, and which messages
 * precede it. The client stores the record of the request itself.
 */
export interface Turn {
  readonly requestId: string;
  /** Id of the assistant message that this answer continues, after a tool result. */
  readonly continues?: string | undefined;
  /** The messages that were sent. Stored only with `keepMessages`. */
  readonly messages?: readonly ChatMessage[] | undefined;
  /** Id of the stream, once it is known. */
  readonly streamId?: string | undefined;
  /** True once a page of this browser stopped the answer. It is not resumed. */
  readonly stopped?: boolean | undefined;
  readonly toolResults?: readonly ToolResult[] | undefined;
  /**
   * Ids of client-side tool calls without a result. Set when the answer is complete: a page that replays it runs these
   * tools again.
   */
  readonly openTools?: readonly string[] | undefined;
}

/** Validates a turn. Every script of the origin can write to storages and channels. */
export function isTurn(value: unknown): value is Turn {
  if (typeof value !== 'object' || value === null) return false;
  const turn = value as Record<string, unknown>;
  return (
    typeof turn['requestId'] === 'string' &&
    isOptional(turn['continues'], 'string') &&
    isOptional(turn['streamId'], 'string') &&
    isOptional(turn['stopped'], 'boolean') &&
    (turn['messages'] === undefined ||
      (Array.isArray(turn['messages']) && turn['messages'].every(isMessage))) &&
    (turn['toolResults'] === undefined || Array.isArray(turn['toolResults'])) &&
    (turn['openTools'] === undefined || Array.isArray(turn['openTools']))
  );
}

function isOptional(value: unknown, type: 'string' | 'boolean'): boolean {
  return value === undefined || typeof value === type;
}

function isMessage(value: unknown): boolean {
  const message = value as Record<string, unknown> | null;
  return (
    typeof message?.['id'] === 'string' &&
    typeof message['role'] === 'string' &&
    Array.isArray(message['parts'])
  );
}

/** Returns true if the turn of this stream was stopped. A turn without a `streamId` matches any stream. */
export function isStopped(
  turn: Turn | undefined,
  { streamId }: { readonly streamId: string | undefined },
): boolean {
  return turn?.stopped === true && (turn.streamId ?? streamId) === streamId;
}
