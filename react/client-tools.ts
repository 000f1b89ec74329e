import type { ToolResult } from '../core-client/transports/turns.ts';

/**
 * Client-side tool calls of the current turn and their results. A replay contains the calls again, but each must run
 * once.
 */
export class ClientTools {
  readonly #started = new Set<string>();
  readonly #results = new Map<string, ToolResult>();
  /** End the waits for running tools. */
  readonly #ends = new Set<() => void>();

  /** Removes all calls and results. Called when a new turn begins. */
  reset(): void {
    this.#started.clear();
    this.#results.clear();
  }

  /** Waits for the run of a tool. Resolves at once when `leave` is called. */
  async wait(run: unknown): Promise<unknown> {
    let end!: () => void;
    const left = new Promise<void>((resolve) => (end = resolve));
    this.#ends.add(end);
    try {
      return await Promise.race([run, left]);
    } finally {
      this.#ends.delete(end);
    }
  }

  /** Ends all waits. The SDK stops an answer, and sends the next message, only after its wait for a tool. */
  leave(): void {
    for (const end of this.#ends) end();
  }

  addResults(results: readonly ToolResult[]): void {
    for (const result of results) this.#results.set(result.toolCallId, result);
  }

  resultOf(toolCallId: string): ToolResult | undefined {
    return this.#results.get(toolCallId);
  }

  /** Returns true for the first call with this id: the tool has to run. */
  start(toolCallId: string): boolean {
    if (this.#started.has(toolCallId)) return false;
    this.#started.add(toolCallId);
    return true;
  }
}

/**
 * Wraps the approval function of the SDK: the tab in which the user decides continues the turn.
 * @param claim called before each decision.
 * @returns the functions that the installed SDK has.
 */
export function decisionsOf(chat: object, claim: () => void): object {
  const { addToolApprovalResponse: respond } = chat as {
    readonly addToolApprovalResponse?: (...given: never[]) => unknown;
  };
  if (!respond) return {};
  return {
    addToolApprovalResponse: (...given: never[]) => {
      claim();
      return respond(...given);
    },
  };
}
