/** An argument of a command. */
export type Argument = string | Buffer;

/** A reply. Strings are returned as bytes. */
export type Reply = Buffer | string | number | null | readonly Reply[];

export type ChannelListener = (message: Buffer) => void;

/**
 * A connection to Redis, independent of the deployment: commands with one attempt each, and messages. Both may fail at
 * any time; the caller handles that.
 */
export interface Connection {
  /** Command with which scripts publish messages to the channels of `subscribe`. */
  readonly publish: 'PUBLISH' | 'SPUBLISH';
  /** @throws the client's error if Redis cannot be reached before `signal` aborts. */
  open(signal: AbortSignal): Promise<void>;
  /**
   * Sends a command to the node that has `key`. A command is not sent once `signal` has aborted. A command that was
   * sent stays pending until its connection closes.
   */
  send(key: string, args: readonly Argument[], signal: AbortSignal): Promise<Reply>;
  /** Returns the server's description of itself (`INFO`). */
  info(signal: AbortSignal): Promise<string>;
  /** Reconnects after `error`, if the client does not do so itself, or not soon enough. Never rejects. */
  recover(error: unknown): Promise<void>;
  /**
   * Resolves once messages are received. The subscription survives reconnections; `onGap` is called when some messages
   * may have been missed.
   */
  subscribe(channel: string, listener: ChannelListener): Promise<void>;
  /** Never rejects. */
  unsubscribe(channel: string, listener: ChannelListener): Promise<void>;
  /** Called regularly: moves subscriptions to the nodes that now have their slots. */
  tend(): void;
  /** Closes only what this connection opened. Never rejects. */
  close(): Promise<void>;
}

/**
 * The type mapping with which node-redis returns bytes for strings and flat arrays for maps (RESP 3): '$' and '%' are their types
 * in RESP.
 */
export const AS_BYTES: Readonly<Record<number, unknown>> = Object.freeze({ 36: Buffer, 37: Array });

/** The command of `info`. */
export const INFO: readonly string[] = ['INFO'];

/** Passed to `recover` if commands stay unanswered on a connection that is open. */
export class SilenceError extends Error {
  override readonly name = 'SilenceError';
}

/**
 * Passed to `recover` if a reply belongs to another command, which its token shows. node-redis (5.12) mistakes the
 * first replies on a new connection, to its own commands (`CLIENT SETNAME`), for replies to commands that it had queued
 * for the old connection when that closed. Such a command never reached Redis. Later replies are shifted too, or the
 * new connection does not become ready, because the client waits for replies that it has already consumed.
 */
export class StrayReplyError extends Error {
  override readonly name = 'StrayReplyError';
}
