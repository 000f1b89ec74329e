interface Message {
  readonly id: string;
}

/**
 * Holds the id that the backend sent for an answer's message after the first chunk. The message has a temporary id
 * until the answer ends, because the SDK needs one at the first chunk.
 */
export class LateMessageId {
  #ids: { readonly temporary: string; readonly final: string } | undefined;

  set(temporary: string, final: string): void {
    this.#ids = { temporary, final };
  }

  clear(): void {
    this.#ids = undefined;
  }

  /**
   * Returns a function that sets the final id of a message, and clears the ids.
   * @param message the message of the answer that ended.
   * @returns undefined if the message has its final id already.
   */
  take<MESSAGE extends Message>(message: Message): ((each: MESSAGE) => MESSAGE) | undefined {
    const ids = this.#ids;
    this.clear();
    if (ids?.temporary !== message.id) return undefined;
    return (each) => (each.id === ids.temporary ? { ...each, id: ids.final } : each);
  }
}
