/** What a chat transport needs to know of a message, in any major of `ai`. */
export interface ChatMessage {
  readonly id: string;
  readonly role: string;
  readonly parts: readonly { readonly type: string }[];
}

/** A result that the page gave for a client-side tool call, as `addToolOutput` takes it. */
export interface ToolResult {
  readonly tool: string;
  readonly toolCallId: string;
  readonly state?: 'output-available' | 'output-error' | undefined;
  readonly output?: unknown;
  readonly errorText?: string | undefined;
}

/**
 * What another page of the same chat must know of the turn under way, beside the credentials that the client
 * keeps: where a replay goes, and what stood before it.
 */
export interface Turn {
  readonly requestId: string;
  /** The assistant message that this answer goes on with (after a tool result), when it does. */
  readonly continues?: string | undefined;
  /** The messages that were sent; only kept for those who ask for it. */
  readonly messages?: readonly ChatMessage[] | undefined;
  /** The stream, once there is one. */
  readonly streamId?: string | undefined;
  /** True once someone on this machine stopped it: it is not taken up again. */
  readonly stopped?: boolean | undefined;
  readonly toolResults?: readonly ToolResult[] | undefined;
  /**
   * Ids of the calls of client-side tools that had no result when the answer ended. Set only then: the answer
   * is complete, and a page that replays it runs these tools again.
   */
  readonly openTools?: readonly string[] | undefined;
}

/** Storages and channels are open to every script of the origin: what has a wrong shape gets no further. */
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

/** A turn stopped before its stream had a name could be any stream. */
export function isStopped(
  turn: Turn | undefined,
  { streamId }: { readonly streamId: string | undefined },
): boolean {
  return turn?.stopped === true && (turn.streamId ?? streamId) === streamId;
}
