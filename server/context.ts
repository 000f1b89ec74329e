import type { Claims } from './create/claims.ts';
import type { ExactlyOnce } from './create/exactly-once.ts';
import type { StreamKeys } from './create/stream-keys.ts';
import type { OnEvent } from './shared/events.ts';
import type { ResolvedOptions } from './options/resolve.ts';
import type { Processes } from './coordination/types.ts';
import type { Guardian } from './peers/guardian.ts';
import type { Peers } from './peers/peers.ts';
import type { StorageQuota } from './quota/quota.ts';
import type { RunningStreams } from './pump/running.ts';
import type { BytePositions } from './read/byte-positions.ts';
import type { LiveReads } from './read/live-reads.ts';
import type { ReadBudget } from './read/read-budget.ts';
import type { ReaderSlots } from './read/reader-slots.ts';
import type { SseEncoder } from './read/sse-frames.ts';
import type { Recoveries } from './recovery/recoveries.ts';
import type { StreamStore } from './store/types.ts';
import type { Allowlist } from './upstream/allowlist.ts';
import type { UpstreamClient } from './upstream/client.ts';
import type { RequestHeaders } from './upstream/headers.ts';
import type { ResponseHeaders } from './upstream/response-headers.ts';
import type { Readership } from './unread/readership.ts';
import type { Webhooks } from './webhooks/webhooks.ts';
import type { Keyring } from './auth/keyring.ts';

/** What the handlers of one proxy work with. Two proxies in one process share nothing of it. */
export interface Context {
  readonly options: ResolvedOptions;
  readonly store: StreamStore;
  readonly keyring: Keyring;
  readonly allowlist: Allowlist;
  readonly upstream: UpstreamClient;
  readonly requestHeaders: RequestHeaders;
  readonly responseHeaders: ResponseHeaders;
  readonly running: RunningStreams;
  readonly processes: Processes;
  readonly peers: Peers;
  readonly guardian: Guardian;
  readonly claims: Claims;
  readonly exactlyOnce: ExactlyOnce;
  readonly streamKeys: StreamKeys;
  readonly quota: StorageQuota;
  /** Only with the option `webhook`. */
  readonly webhooks: Webhooks | undefined;
  readonly recoveries: Recoveries;
  readonly encoder: SseEncoder;
  readonly liveReads: LiveReads;
  readonly readerSlots: ReaderSlots;
  readonly readership: Readership;
  readonly readBudget: ReadBudget;
  readonly bytePositions: BytePositions;
  readonly emit: OnEvent;
}
