import { WEBHOOK } from '../store/metadata.ts';

/** Data of a closed stream that are stored until its webhook is delivered. */
export interface ClosedTask {
  readonly streamId: string;
  /** Unix time of the closing in milliseconds. */
  readonly closedAt: number;
  /** Bytes of the response, if the process that closed the stream knows them. */
  readonly bytes: number | null;
  /** The outcome to report if the stream no longer exists when its webhook is sent. */
  readonly outcome: string;
  readonly error?: { readonly code: string; readonly message: string } | undefined;
  readonly origin: WebhookOrigin;
}

/** Data that a create stores in the stream's metadata for its webhook. */
export interface WebhookOrigin {
  readonly subject?: string | undefined;
  /** The `Stream-Key` of the create. */
  readonly key?: string | undefined;
  /** URL or path of the mount, for `readUrl`. */
  readonly base: string;
  /** Unix time of the create in milliseconds. */
  readonly startedAt: number;
}

export const originEntries = (origin: WebhookOrigin): Record<string, string> => ({
  [WEBHOOK]: JSON.stringify(origin),
});

/** Returns undefined for a stream that was created without the option `webhook`. */
export function originOf(metadata: Readonly<Record<string, string>>): WebhookOrigin | undefined {
  const entry = metadata[WEBHOOK];
  return entry === undefined ? undefined : (parse(entry) as WebhookOrigin | undefined);
}

/** Version of the format, so that a process ignores tasks of a later version. */
const VERSION = 'webhook/1 ';

export const encodeTask = (task: ClosedTask): string => VERSION + JSON.stringify(task);

/** Returns undefined for a payload of another kind or version. */
export function decodeTask(payload: string): ClosedTask | undefined {
  return payload.startsWith(VERSION) ? (parse(payload.slice(VERSION.length)) as ClosedTask) : undefined;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
