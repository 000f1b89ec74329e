import { RECOVERY } from '../store/metadata.ts';
import type { StreamEnd } from '../store/types.ts';
import type { Seal } from './seal.ts';
import type { RecoverableRequest } from './types.ts';

type Fields = readonly (readonly [name: string, value: string])[];

/** The state from which a recovery can continue a stream in any process. */
export interface RecoveryState {
  /** Name of the recovery. */
  readonly recovery: string;
  readonly url: string;
  readonly method: string;
  readonly headers: Fields;
  /** Header fields of the upstream's first response, with names in lower case. */
  readonly responseHeaders: Fields;
  readonly subject?: string | undefined;
  /** Patterns of the caller's token, which narrow the allowlist. */
  readonly allow?: readonly string[] | undefined;
}

const ENDED = 'end ';

/** Returns the metadata entries of a stream that is about to be closed. They replace its recovery state. */
export function endedState(end: StreamEnd): Record<string, string> {
  return { [RECOVERY]: ENDED + JSON.stringify(end) };
}

/** Returns the end of a stream whose process died between storing the end and closing the stream. */
export function endOfState(metadata: Readonly<Record<string, string>>): StreamEnd | undefined {
  const entry = metadata[RECOVERY] ?? '';
  return entry.startsWith(ENDED) ? (JSON.parse(entry.slice(ENDED.length)) as StreamEnd) : undefined;
}

/** Returns the metadata entries of a stream with this state; none if it is too long. */
export function sealState(seal: Seal, streamId: string, state: RecoveryState): Record<string, string> {
  const sealed = seal.seal(streamId, JSON.stringify(state));
  return sealed === undefined ? {} : { [RECOVERY]: sealed };
}

/** Returns the state in a stream's metadata, or undefined if there is none that this `jwtSecret` can open. */
export function openState(
  seal: Seal,
  streamId: string,
  metadata: Readonly<Record<string, string>>,
): RecoveryState | undefined {
  const text = seal.open(streamId, metadata[RECOVERY] ?? '');
  return text === undefined ? undefined : (JSON.parse(text) as RecoveryState);
}

/** Header fields that describe the body, or that must not be sent with a request for another response. */
const OF_THE_BODY = /^(?:content-.*|accept|expect|last-event-id)$/i;

/** Returns the request as recoveries see it, with a copy of its headers without those that describe the body. */
export function requestOf({ url, method, headers }: RecoveryState): RecoverableRequest {
  const kept = headers.filter(([name]) => !OF_THE_BODY.test(name)) as [string, string][];
  const copy = new Headers(kept);
  copy.set('accept', 'text/event-stream');
  return { url, method, headers: copy };
}
