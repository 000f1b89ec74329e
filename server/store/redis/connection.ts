/** An argument of a command. */
export type Argument = string | Buffer;

/** A reply; strings come as bytes. */
export type Reply = Buffer | string | number | null | readonly Reply[];

export type ChannelListener = (message: Buffer) => void;

/**
 * Redis as the store sees it, whichever way it is set up: one try of a command, and messages. Both may fail
 * at any time; what to do then is the caller's.
 */
export interface Connection {
  /** How a script sends a message that `subscribe` hears. */
  readonly publish: 'PUBLISH' | 'SPUBLISH';
  /** @throws what the client throws when Redis cannot be reached before `signal` aborts. */
  open(signal: AbortSignal): Promise<void>;
  /**
   * Sends a command to where `key` lies. Not sent any more once `signal` aborted; one that was sent stays
   * pending for as long as its connection does.
   */
  send(key: string, args: readonly Argument[], signal: AbortSignal): Promise<Reply>;
  /** What the server says of itself (`INFO server`). */
  info(signal: AbortSignal): Promise<string>;
  /** Finds its way again after `error`, where the client does not (soon) do so by itself. Never rejects. */
  recover(error: unknown): Promise<void>;
  /** Resolves when messages arrive. It survives reconnections; `onGap` tells that some may be missing. */
  subscribe(channel: string, listener: ChannelListener): Promise<void>;
  /** Never rejects. */
  unsubscribe(channel: string, listener: ChannelListener): Promise<void>;
  /** Called now and then: puts subscriptions where they belong by now. */
  tend(): void;
  /** Closes what this connection opened, and nothing else. Never rejects. */
  close(): Promise<void>;
}

/** The type mapping of node-redis that gives bytes for strings: '$' is the mark of a string in RESP. */
export const AS_BYTES: Readonly<Record<number, unknown>> = Object.freeze({ 36: Buffer });

/** The command behind `info`. */
export const INFO: readonly string[] = ['INFO', 'server'];

/** What `recover` is told when commands stay without an answer on a connection that seems fine. */
export class SilenceError extends Error {
  override readonly name = 'SilenceError';
}

/**
 * What `recover` is told when a reply was to something else, which its token tells. node-redis (5.12) takes the
 * first replies of a new connection, to what it says of itself there (`CLIENT SETNAME`), for those to commands
 * that it had given to the old one after that was gone; such a command never reached Redis. What follows is out
 * of step too, or the new connection does not get ready: the client waits for replies that it has given away.
 */
export class StrayReplyError extends Error {
  override readonly name = 'StrayReplyError';
}
