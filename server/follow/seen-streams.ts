/** Maximum number of streams that a connection remembers. Its id has to fit into a header field. */
const MAX_STREAMS = 8;

/** Follows the id of a stream whose end was reported. */
const CLOSED = '!';
const ENTRY = /^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})(!?)$/;

/**
 * The streams that a follower of a name knows, oldest first, and whether it knows their end. The text form is the `id`
 * of its events, so that a reconnect continues in any process.
 */
export class SeenStreams {
  readonly #isClosed = new Map<string, boolean>();

  /** Parses a `Last-Event-ID`. A malformed one counts as absent: the follower then gets the newest stream again. */
  static parse(id: string | undefined): SeenStreams {
    const seen = new SeenStreams();
    const entries = (id ?? '').split('.').map((entry) => ENTRY.exec(entry));
    if (entries.length > MAX_STREAMS) return seen;
    for (const [, streamId, mark] of entries.filter((entry) => entry !== null))
      seen.add(streamId!, mark === CLOSED);
    return seen;
  }

  /** Ids of the streams whose end was not reported, oldest first. */
  get open(): string[] {
    return [...this.#isClosed].filter(([, isClosed]) => !isClosed).map(([streamId]) => streamId);
  }

  /**
   * Returns true if the follower does not know this state: a newest stream that is unknown, or the end of a known
   * stream.
   */
  isUnknown(streamId: string, { isClosed, isNewest }: { isClosed: boolean; isNewest: boolean }): boolean {
    const known = this.#isClosed.get(streamId);
    return known === undefined ? isNewest : isClosed && !known;
  }

  add(streamId: string, isClosed: boolean): void {
    this.#isClosed.set(streamId, isClosed);
    if (this.#isClosed.size <= MAX_STREAMS) return;
    // Removes a closed stream first, because the end of a removed stream is not reported.
    const closed = [...this.#isClosed].find(([id, isOver]) => isOver && id !== streamId)?.[0];
    this.#isClosed.delete(closed ?? this.open[0]!);
  }

  toString(): string {
    return [...this.#isClosed].map(([id, isClosed]) => `${id}${isClosed ? CLOSED : ''}`).join('.');
  }
}
