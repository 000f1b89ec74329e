import type { IncomingMessage } from 'node:http';
import type { Caller } from '../auth/service.ts';
import type { Context } from '../context.ts';
import type { Slot } from '../pump/running.ts';
import type { CheckUrl, UpstreamTarget } from './prepare.ts';
import type { CreateRequest } from './request.ts';

/** A create whose request has been read and checked. */
export interface BeginOptions {
  readonly req: IncomingMessage;
  readonly request: CreateRequest;
  readonly allowed: ReturnType<CheckUrl>;
  readonly check: CheckUrl;
  readonly body: Buffer | undefined;
  readonly caller: Caller | undefined;
  /** URL or path of the mount. */
  readonly base: string;
  readonly streamId: string;
  readonly claim: string | undefined;
  readonly slot: Slot;
  /** Milliseconds within which the upstream's headers must arrive. */
  readonly headersTimeoutMs: number;
  /** Aborted when the proxy closes, the create is aborted, or no caller waits for it. Cancels the upstream request. */
  readonly abortController: AbortController;
}

/** Dependencies for creating a stream. */
export type CreateContext = Pick<
  Context,
  | 'options'
  | 'store'
  | 'upstream'
  | 'requestHeaders'
  | 'responseHeaders'
  | 'running'
  | 'processes'
  | 'claims'
  | 'streamKeys'
  | 'quota'
  | 'closer'
  | 'recoveries'
  | 'liveReads'
  | 'bytePositions'
  | 'readership'
  | 'observers'
  | 'emit'
>;

/** A create whose upstream request may be sent. */
export interface PreparedCreate extends BeginOptions {
  readonly target: UpstreamTarget;
}
