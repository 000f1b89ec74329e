import type { Processes } from '../coordination/types.ts';

/*
 * Messages between processes: a word, a space and an id. A process ignores words that it does not know, so that versions
 * can share a store. Version 0.1 has the same two.
 */
const ABORT = 'abort ';
const WAITING = 'waiting ';

export interface PeersOptions {
  readonly processes: Processes;
  /** Another process took the request to abort a stream or a create of this one. */
  readonly onAbort: (streamId: string) => void;
  /** Another process has a caller that waits for the upstream's headers of this stream. */
  readonly onWaiting: (streamId: string) => void;
}

/** What the proxies on one store tell each other. */
export class Peers {
  readonly #options: PeersOptions;

  constructor(options: PeersOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { processes, onAbort, onWaiting } = this.#options;
    await processes.start((message) => {
      if (message.startsWith(ABORT)) onAbort(message.slice(ABORT.length));
      if (message.startsWith(WAITING)) onWaiting(message.slice(WAITING.length));
    });
  }

  /** Asks a process to abort a stream or a create. Returns false if the process is dead. */
  askToAbort(process: string, streamId: string): Promise<boolean> {
    return this.#options.processes.notify(process, `${ABORT}${streamId}`);
  }

  /** Tells a process that a caller waits here for its create. Returns false if the process is dead. */
  tellWaiting(process: string, streamId: string): Promise<boolean> {
    return this.#options.processes.notify(process, `${WAITING}${streamId}`);
  }
}
