/** A message of TanStack AI, in the form of its chat client (`parts`) or of a model (`content`). */
export interface TanStackMessage {
  readonly id?: string | undefined;
  readonly role: string;
  readonly content?: unknown;
  readonly parts?: readonly { readonly type: string }[] | undefined;
  readonly metadata?: unknown;
}

interface TanStackPart {
  readonly type: string;
  readonly [field: string]: unknown;
}

type WireMessage = Readonly<Record<string, unknown>>;

const MEDIA = new Set(['image', 'audio', 'video', 'document']);

/**
 * Converts messages to the form of AG-UI's `RunAgentInput`, which the server side of TanStack AI reads: text, media,
 * reasoning, tool calls and their results. TanStack's own `uiMessagesToWire` also keeps some private metadata. It is
 * not a dependency; apps can pass it as `serializeMessages`.
 */
export function toWireMessages(messages: readonly TanStackMessage[]): WireMessage[] {
  return messages.flatMap((message, index) => {
    const id = message.id ?? `message-${index}`;
    const { role, metadata } = message;
    const parts = message.parts as readonly TanStackPart[] | undefined;
    const base = { id, role, ...(metadata !== undefined && { metadata }) };
    if (!parts) return [{ ...message, id }];
    if (role === 'user') return [{ ...base, content: userContent(parts) }];
    if (role !== 'assistant') return [{ ...base, content: text(parts) }];
    return assistantMessages(base, parts);
  });
}

function assistantMessages(base: { readonly id: string }, parts: readonly TanStackPart[]): WireMessage[] {
  const content = text(parts);
  const calls = parts.filter(({ type }) => type === 'tool-call');
  const results = parts.filter(({ type }) => type === 'tool-result');
  const answered = new Set(results.map((part) => part['toolCallId']));
  return [
    ...parts
      .filter(({ type }) => type === 'thinking')
      .map((part, index) => ({
        role: 'reasoning',
        id: `${base.id}-reasoning-${typeof part['id'] === 'string' ? part['id'] : index}`,
        content: part['content'],
        ...(part['signature'] ? { encryptedValue: part['signature'] } : {}),
      })),
    {
      ...base,
      ...(content !== '' && { content }),
      ...(calls.length > 0 && {
        toolCalls: calls.map((part) => ({
          id: part['id'],
          type: 'function',
          function: { name: part['name'], arguments: part['arguments'] },
        })),
      }),
    },
    ...results.map((part) => toolResult(part['toolCallId'], part['content'], part['error'])),
    ...calls.flatMap((part) => {
      if (answered.has(part['id'])) return [];
      const output = part['output'] ?? approval(part);
      return output === undefined ? [] : [toolResult(part['id'], output, undefined)];
    }),
  ];
}

function toolResult(toolCallId: unknown, content: unknown, error: unknown): WireMessage {
  return {
    role: 'tool',
    id: `tool-${String(toolCallId)}`,
    toolCallId,
    content: typeof content === 'string' ? content : JSON.stringify(content),
    ...(error !== undefined && { error }),
  };
}

/** Returns the user's approval or denial in the place of a result. The server replaces it by the result of the tool. */
function approval(part: TanStackPart): unknown {
  const approved = (part['approval'] as { approved?: boolean } | undefined)?.approved;
  if (part['state'] !== 'approval-responded' || approved === undefined) return undefined;
  return {
    approved,
    ...(approved && { pendingExecution: true }),
    message: approved ? 'User approved this action' : 'User denied this action',
  };
}

function text(parts: readonly TanStackPart[]): string {
  return parts
    .map((part) => {
      if (part.type === 'text') return part['content'];
      return part.type === 'structured-output' && part['status'] === 'complete' ? part['raw'] : '';
    })
    .join('');
}

function userContent(parts: readonly TanStackPart[]): unknown {
  if (!parts.some(({ type }) => MEDIA.has(type))) return text(parts);
  return parts.flatMap((part) => {
    if (part.type === 'text') return [{ type: 'text', text: part['content'] }];
    return MEDIA.has(part.type) ? [part] : [];
  });
}
