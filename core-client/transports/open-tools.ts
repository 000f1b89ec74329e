import type { ChatChunk } from './chat-chunks.ts';

/** The client-side tool calls of an answer that have no result yet. */
export interface OpenTools {
  /** Reads a chunk of the answer. */
  readonly note: (chunk: ChatChunk) => void;
  /** Returns the ids of the calls without a result so far. */
  readonly ids: () => readonly string[];
}

/**
 * Tracks the tool calls in an answer. The page has to run a call if its input is complete and neither the provider nor
 * the backend runs it.
 */
export function openTools(): OpenTools {
  const open = new Set<string>();
  return {
    note({ type, toolCallId, providerExecuted }) {
      if (typeof toolCallId !== 'string') return;
      if (type === 'tool-input-available' && !providerExecuted) open.add(toolCallId);
      // A result, an error, a denial, or a request for the user's approval.
      else if (type.startsWith('tool-output-') || type === 'tool-approval-request') open.delete(toolCallId);
    },
    ids: () => [...open],
  };
}
