import { randomUUID } from 'node:crypto';
import { createKeyring } from './auth/keyring.ts';
import { warnOfShortSecret } from './auth/secret-length.ts';
import { createServiceAuth } from './auth/service.ts';
import type { Context } from './context.ts';
import { coordinateByLogs } from './coordination/logs/index.ts';
import type { CoordinatorOptions } from './coordination/types.ts';
import { Adoptions } from './create/adopt.ts';
import { Claims } from './create/claims.ts';
import { ExactlyOnce } from './create/exactly-once.ts';
import { recoverySender } from './create/recovery-sender.ts';
import { StreamKeys } from './create/stream-keys.ts';
import { createDispatch, OPEN_WAIT_MS, type Dispatch } from './dispatch.ts';
import { NameFeeds } from './follow/name-feeds.ts';
import { Observers } from './telemetry/observers.ts';
import { observedUpstream } from './telemetry/observed-upstream.ts';
import { Opener, type OpenerOptions } from './opener.ts';
import type { ResolvedOptions } from './options/resolve.ts';
import type { Inspectable } from './inspectable.ts';
import { OrphanKeeper } from './peers/orphans.ts';
import { Guardian } from './peers/guardian.ts';
import { Peers } from './peers/peers.ts';
import { RunningStreams } from './pump/running.ts';
import { createStorageQuota } from './quota/quota.ts';
import { Recoveries } from './recovery/recoveries.ts';
import { Seal } from './recovery/seal.ts';
import { BytePositions } from './read/byte-positions.ts';
import { LiveReads } from './read/live-reads.ts';
import { ReadBudget } from './read/read-budget.ts';
import { ReaderSlots } from './read/reader-slots.ts';
import { SseEncoder } from './read/sse-frames.ts';
import { durableStreamsStore } from './store/durable-streams/index.ts';
import { embeddedStore } from './store/embedded/index.ts';
import { inTime } from './store/bounded.ts';
import type { StreamEnd, StreamStore } from './store/types.ts';
import type { Readiness } from './telemetry/endpoints.ts';
import { abortHere } from './streams/abort-stream.ts';
import { compileAllowlist } from './upstream/allowlist.ts';
import { Readership } from './unread/readership.ts';
import { StreamCloser } from './webhooks/closer.ts';
import { Webhooks } from './webhooks/webhooks.ts';
import { createUpstreamClient } from './upstream/client.ts';
import { runAll } from './shared/run-all.ts';
import { forwardProxies } from './upstream/forward-proxy.ts';
import { requestHeaders } from './upstream/headers.ts';
import { responseHeaders } from './upstream/response-headers.ts';

/** Milliseconds that a shutdown waits for readers to receive the last bytes of the streams that it closed. */
const READERS_GRACE_MS = 1_000;

/** Default of `drainMs`. */
export const DEFAULT_DRAIN_MS = 10_000;

const SHUT_DOWN: StreamEnd = Object.freeze({
  outcome: 'interrupted',
  error: Object.freeze({
    code: 'SHUTTING_DOWN',
    message: 'The proxy was shut down before the answer was complete',
  }),
});

/** Milliseconds within which the store must respond to a readiness check. */
const READY_MS = 2_000;

/** Options of `close` and `stop`. */
export interface CloseOptions {
  /**
   * Milliseconds to wait for running streams. After that they are closed as `interrupted`.
   * @default 10_000
   */
  drainMs?: number | undefined;
}

/** One proxy, without the adapter to a framework. */
export interface Proxy {
  readonly dispatch: Dispatch;
  readonly inspectable: Inspectable;
  /** Settles with the first attempt to open the store. Further attempts follow if it rejects and `retries` is true. */
  readonly ready: Promise<void>;
  /**
   * Resolves with `ready` if the proxy accepts new streams, otherwise with the reason. Queries the store. Never
   * rejects.
   */
  readiness(): Promise<Readiness>;
  /** Rejects new streams, waits for running ones, and releases all resources. Idempotent. */
  close(options?: CloseOptions): Promise<void>;
}

/**
 * Creates a proxy, without the adapter to a framework.
 * @param opening `retries`: whether further attempts follow if the store cannot be opened.
 */
export function createProxy(options: ResolvedOptions, opening: Pick<OpenerOptions, 'retries'> = {}): Proxy {
  const { logger } = options;
  const keyring = createKeyring(options.jwtSecret);
  warnOfShortSecret(keyring, logger);
  const allowlist = compileAllowlist(options.allowlist);
  const auth = createServiceAuth({
    keyring,
    logger,
    acceptJwtSecret: options.acceptJwtSecret,
    acceptLegacyTokens: options.acceptLegacyTokens,
    ...(options.authenticate && { authenticate: options.authenticate }),
  });
  const store = options.store ?? ownStore(options);
  const proxies = forwardProxies(process.env);
  const client = createUpstreamClient({
    allowPrivateNetworks: options.allowPrivateNetworks,
    dispatcher: options.dispatcher,
    proxies,
    headersTimeoutMs: options.upstreamHeadersTimeoutMs,
    inactivityTimeoutMs: options.upstreamInactivityTimeoutMs,
  });
  const upstream = observedUpstream(client, options.telemetry);
  const running = new RunningStreams(options);
  const coordination: CoordinatorOptions = { logger, ttlSeconds: options.streamTtlSeconds };
  const coordinator = store.coordinate?.(coordination) ?? coordinateByLogs(store, coordination);
  const { processes } = coordinator;
  const peers = new Peers({
    processes,
    onAbort: (streamId) => abortHere(streamId, { running }),
    onWaiting: (streamId) => exactlyOnce.keepWaiting(streamId),
    onReading: (streamId) => readership.seen(streamId),
    onUnreadCheck: (streamId) => readership.checked(streamId),
    onInspect: (message) => observers.onMessage(message),
  });
  const readership = new Readership({
    store,
    logger,
    processId: processes.id,
    notify: (owner, streamId) => peers.notifyReading(owner, streamId),
    check: (streamId) => peers.checkUnread(streamId),
  });
  const isRunning = (streamId: string) => running.get(streamId) !== undefined;
  const observers = new Observers(options);
  const { emit } = observers;
  const webhooks =
    options.webhook &&
    new Webhooks({ ...options.webhook, outbox: coordinator.outbox, store, keyring, options, proxies, emit });
  const closer = new StreamCloser(store, webhooks);
  const guardian = new Guardian({
    store,
    processes,
    logger,
    isRunning,
    adopt: (streamId, info) => adoptions.adopt(streamId, info),
    close: (streamId, info, end) => closer.closeFor(streamId, info, end, info.fence),
  });
  const orphans = new OrphanKeeper({
    processes,
    reconcile: async (streamId) => {
      const info = await store.head(streamId);
      if (info) await guardian.reconcile(streamId, info);
    },
    logger,
  });
  const claims = new Claims({
    claims: coordinator.claims,
    processes,
    notifyWaiting: (process, streamId) => peers.notifyWaiting(process, streamId),
    streams: store,
    isHere: (streamId) => running.has(streamId),
  });
  const exactlyOnce = new ExactlyOnce({ claims, waitMs: options.upstreamHeadersTimeoutMs, logger });
  const quota = createStorageQuota(options, store, logger);
  const recoveries = new Recoveries({
    recoveries: options.recovery,
    timeoutMs: options.recoveryTimeoutMs,
    maxBytes: options.maxResponseBytes,
    seal: new Seal(keyring.sealKeys),
    store,
    send: recoverySender({ options, allowlist, upstream }),
    logger,
    emit,
  });
  const streamKeys = new StreamKeys(coordinator.names, processes);
  const context: Context = Object.freeze({
    options,
    store,
    keyring,
    allowlist,
    upstream,
    requestHeaders: requestHeaders(options.dropRequestHeaders),
    responseHeaders: responseHeaders(options.exposeUpstreamHeaders),
    running,
    processes,
    peers,
    guardian,
    claims,
    exactlyOnce,
    streamKeys,
    nameFeeds: new NameFeeds({ streamKeys, store, guardian, logger }),
    quota,
    closer,
    recoveries,
    encoder: new SseEncoder(),
    liveReads: new LiveReads(options.keepAliveMs),
    readerSlots: new ReaderSlots(options),
    readership,
    readBudget: new ReadBudget(options),
    bytePositions: new BytePositions(store, options.maxReadBytes),
    observers,
    emit,
  });
  const adoptions = new Adoptions(context);
  const opener = new Opener({
    ...opening,
    logger,
    open: async () => {
      await store.open();
      await peers.start();
      quota.start();
      webhooks?.start();
      if (store.adopt || webhooks) orphans.start();
      observers.opened();
    },
  });

  const closeAll = async (drainMs: number): Promise<void> => {
    const opened = await opener.stop();
    orphans.stop();
    const drained = running.close(drainMs, SHUT_DOWN);
    // After `running.close` has begun, because it makes the proxy refuse new followers.
    context.nameFeeds.close();
    await drained;
    await context.liveReads.close(READERS_GRACE_MS);
    guardian.stop();
    readership.stop();
    await runAll([
      () => observers.close(),
      () => webhooks?.stop(),
      () => opened && quota.stop(),
      () => opened && processes.stop(),
      () => recoveries.close(),
      () => upstream.close(),
      // The app disposes of a store that it passed as an option.
      () => opened && !options.store && store.dispose(),
    ]);
  };
  let closing: Promise<void> | undefined;

  const dispatch = createDispatch({ context, auth, opener });
  let mount: string | undefined;

  return {
    dispatch: (req, res, arrival) => {
      mount ??= arrival.mount;
      return dispatch(req, res, arrival);
    },
    inspectable: {
      context,
      observers,
      opened: () => opener.wait(OPEN_WAIT_MS),
      base: () => options.publicUrl ?? options.basePath ?? mount,
    },
    ready: opener.first,
    async readiness() {
      if (running.closing || closing) return 'draining';
      if (!opener.isOpen) return 'starting';
      const answer = inTime(store.head(randomUUID()), READY_MS);
      return answer.then(
        () => 'ready' as const,
        () => 'store-unavailable' as const,
      );
    },
    close: ({ drainMs = DEFAULT_DRAIN_MS } = {}) => (closing ??= closeAll(drainMs)),
  };
}

function ownStore(options: ResolvedOptions): StreamStore {
  const { durableStreamsUrl, durableStreamsHeaders, dataDir, durability } = options;
  if (durableStreamsUrl !== undefined) {
    return durableStreamsStore({
      url: durableStreamsUrl,
      ...(durableStreamsHeaders && { headers: durableStreamsHeaders }),
    });
  }
  return embeddedStore({
    ...(dataDir !== undefined && { dataDir }),
    ...(durability !== undefined && { durability }),
  });
}
