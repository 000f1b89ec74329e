import type { Processes } from '../coordination/types.ts';

/*
 * Messages between processes: a word, a space and an id. A process ignores words that it does not know, so that
 * versions can share a store. Version 0.1 knows the first two.
 */
const ABORT = 'abort ';
const WAITING = 'waiting ';
const READING = 'reading ';
const UNREAD_CHECK = 'unread-check ';
const INSPECT = 'inspect ';

export interface PeersOptions {
  readonly processes: Processes;
  /** Another process received a request to abort a stream or a create of this process. */
  readonly onAbort: (streamId: string) => void;
  /** Another process has a caller that waits for the upstream's headers of this stream. */
  readonly onWaiting: (streamId: string) => void;
  /** Another process has, or had a moment ago, a reader of this stream. */
  readonly onReading: (streamId: string) => void;
  /** A message of `checkUnread` has arrived, so this process receives messages. */
  readonly onUnreadCheck: (streamId: string) => void;
  /** A message of the inspector of another process. */
  readonly onInspect: (message: string) => void;
}

/** Messages between the proxies on one store. */
export class Peers {
  readonly #options: PeersOptions;

  constructor(options: PeersOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { processes, onAbort, onWaiting, onReading, onUnreadCheck, onInspect } = this.#options;
    await processes.start((message) => {
      if (message.startsWith(ABORT)) onAbort(message.slice(ABORT.length));
      if (message.startsWith(WAITING)) onWaiting(message.slice(WAITING.length));
      if (message.startsWith(READING)) onReading(message.slice(READING.length));
      if (message.startsWith(UNREAD_CHECK)) onUnreadCheck(message.slice(UNREAD_CHECK.length));
      if (message.startsWith(INSPECT)) onInspect(message.slice(INSPECT.length));
    });
  }

  /** Asks a process to abort a stream or a create. Returns false if the process is dead. */
  askToAbort(process: string, streamId: string): Promise<boolean> {
    return this.#options.processes.notify(process, `${ABORT}${streamId}`);
  }

  /** Notifies a process that a caller waits here for its create. Returns false if the process is dead. */
  notifyWaiting(process: string, streamId: string): Promise<boolean> {
    return this.#options.processes.notify(process, `${WAITING}${streamId}`);
  }

  /** Notifies a process that its stream is read here. Returns false if the process is dead. */
  notifyReading(process: string, streamId: string): Promise<boolean> {
    return this.#options.processes.notify(process, `${READING}${streamId}`);
  }

  /** Sends a message to the inspector of a process. Returns false if the process is dead. */
  notifyInspector(process: string, message: string): Promise<boolean> {
    return this.#options.processes.notify(process, `${INSPECT}${message}`);
  }

  /** Sends a message to this process itself. Its arrival shows that messages of other processes arrive, too. */
  checkUnread(streamId: string): Promise<boolean> {
    const { processes } = this.#options;
    return processes.notify(processes.id, `${UNREAD_CHECK}${streamId}`);
  }
}
