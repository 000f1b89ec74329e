import type { ToolResult } from '../core-client/transports/turns.ts';

/**
 * Client-side tool calls of the current turn and their results. A replay contains the calls again, but each must run
 * once.
 */
export class ClientTools {
  readonly #started = new Set<string>();
  readonly #results = new Map<string, ToolResult>();

  /** Forgets all calls and results. Called when a new turn begins. */
  reset(): void {
    this.#started.clear();
    this.#results.clear();
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
