import type { IncomingMessage, ServerResponse } from 'node:http';
import { beforeEach, expect, it } from 'vitest';
import { ManualStore } from '../../tests/support/manual-store.ts';
import { IDEMPOTENCY_KEY } from '../../protocol/headers.ts';
import type { Context } from '../context.ts';
import { Claims } from '../create/claims.ts';
import type { Exchange } from '../http/exchange.ts';
import { silentLogger } from '../shared/logger.ts';
import { coordinateByLogs } from '../coordination/logs/index.ts';
import { StreamCloser } from '../webhooks/closer.ts';
import { Peers } from '../peers/peers.ts';
import { createStorageQuota } from '../quota/quota.ts';
import { RunningStreams } from '../pump/running.ts';
import { abortByKey } from './abort-by-key.ts';
import { deleteStream } from './delete-stream.ts';

const LIMITS = { maxConcurrentStreams: 1, maxConcurrentStreamsPerSubject: 1 };
const forever = new AbortController().signal;

let store: ManualStore;
let status: number | undefined;

beforeEach(() => {
  store = new ManualStore();
  status = undefined;
});

function contextOf(): Context {
  const { processes, claims: table } = coordinateByLogs(store, { logger: silentLogger, ttlSeconds: 60 });
  const peers = new Peers({
    processes,
    onAbort: () => undefined,
    onWaiting: () => undefined,
    onReading: () => undefined,
    onUnreadCheck: () => undefined,
    onInspect: () => undefined,
  });
  const running = new RunningStreams(LIMITS);
  const claims = new Claims({
    claims: table,
    processes,
    notifyWaiting: (process, streamId) => peers.notifyWaiting(process, streamId),
    streams: store,
    isHere: (id) => running.has(id),
  });
  const quota = createStorageQuota(
    { maxStoredBytes: Infinity, maxStoredBytesPerSubject: Infinity, streamTtlSeconds: 60 },
    store,
    silentLogger,
  );
  const recoveries = { find: () => undefined, prepared: () => undefined };
  return {
    store,
    processes,
    peers,
    running,
    claims,
    quota,
    recoveries,
    closer: new StreamCloser(store, undefined),
    emit: () => undefined,
  } as unknown as Context;
}

function exchangeOf(query: string, streamId = '', headers: Record<string, string[]> = {}): Exchange {
  const rawHeaders = Object.entries(headers).flatMap(([name, values]) =>
    values.flatMap((value) => [name, value]),
  );
  const res = {
    writeHead: (code: number) => {
      status = code;
      return res;
    },
    end: () => res,
  };
  return {
    req: { rawHeaders } as unknown as IncomingMessage,
    res: res as unknown as ServerResponse,
    query: new URLSearchParams(query),
    base: '',
    streamId,
    caller: undefined,
  };
}

/** Claims a key for a process that receives messages until `die` is called. */
async function takeElsewhere() {
  const elsewhere = contextOf();
  const mailbox = `proxy-${elsewhere.processes.id}`;
  await store.create(mailbox, { contentType: '', ttlSeconds: 5, metadata: { kind: 'process' } });
  const use = { subject: undefined, key: 'key', fingerprint: 'request', streamId: 'stream' };
  await elsewhere.claims.claim(use, forever);
  return { owner: elsewhere.processes.id, use, die: () => store.delete(mailbox) };
}

it('aborts a key whose owner dies before the message arrives, and remembers the abort', async () => {
  const { use, die } = await takeElsewhere();
  const here = contextOf();
  store.holds = (name, id) => name === 'append' && id.startsWith('proxy-');
  const headers = { [IDEMPOTENCY_KEY.toLowerCase()]: ['key'] };
  const aborting = abortByKey(exchangeOf('action=abort', '', headers), here);
  const message = await store.nextHeld();
  await die();
  message.run();
  await aborting;
  expect(status).toBe(204);
  await expect(here.claims.claim({ ...use, streamId: 'next' }, forever)).rejects.toMatchObject({
    code: 'REQUEST_ABORTED',
  });
});

it('deletes a stream whose owner dies before the message arrives, and releases the key', async () => {
  const { owner, use, die } = await takeElsewhere();
  const here = contextOf();
  const claim = here.claims.idOf(use);
  await store.create('stream', { contentType: '', ttlSeconds: 60, metadata: { owner, claim } });
  store.holds = (name, id) => name === 'append' && id.startsWith('proxy-');
  const deleting = deleteStream(exchangeOf('', 'stream'), here);
  const message = await store.nextHeld();
  await die();
  message.run();
  await deleting;
  expect(status).toBe(204);
  expect(store.logs.has('stream')).toBe(false);
  expect((await here.claims.claim({ ...use, streamId: 'next' }, forever)).mine).toBe(true);
});
