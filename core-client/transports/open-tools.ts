import type { ChatChunk } from './chat-chunks.ts';

/** Notes which tools an answer asked the page to run. */
export interface OpenTools {
  /** Reads a chunk of the answer. */
  readonly note: (chunk: ChatChunk) => void;
  /** Ids of the calls without a result so far. */
  readonly ids: () => readonly string[];
}

/**
 * Follows the calls of tools in an answer. A call whose input is complete, and that neither the provider nor
 * the backend runs, waits for the page.
 */
export function openTools(): OpenTools {
  const open = new Set<string>();
  return {
    note({ type, toolCallId, providerExecuted }) {
      if (typeof toolCallId !== 'string') return;
      if (type === 'tool-input-available' && !providerExecuted) open.add(toolCallId);
      // A result, an error, a denial, or a question to the user whether the tool may run.
      else if (type.startsWith('tool-output-') || type === 'tool-approval-request') open.delete(toolCallId);
    },
    ids: () => [...open],
  };
}
