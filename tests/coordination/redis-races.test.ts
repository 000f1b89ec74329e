import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { silentLogger } from '../../server/shared/logger.ts';
import type { Claim, Coordinator } from '../../server/coordination/types.ts';
import { connect } from '../../server/store/redis/connect.ts';
import type { Connection } from '../../server/store/redis/connection.ts';
import { Access } from '../../server/store/redis/coordination/access.ts';
import { coordinateOnRedis } from '../../server/store/redis/coordination/index.ts';
import { checkOptions } from '../../server/store/redis/options.ts';
import { Requests } from '../../server/store/redis/requests.ts';
import { needs } from '../requirements.ts';
import { startRedis, type RedisServer } from '../store/redis/servers.ts';

/** Requests to Redis that a test sends one by one, in the order that it chooses. */
class Gate {
  isClosed = false;
  readonly #held: (() => void)[] = [];
  readonly #requests: Requests;
  #onHeld: () => void = () => undefined;

  constructor(connection: Connection) {
    this.#requests = new Requests(connection, { requestTimeoutMs: 5_000, appendTimeoutMs: 5_000 });
  }

  readonly run: Requests['run'] = async (...request) => {
    if (this.isClosed) {
      await new Promise<void>((resolve) => {
        this.#held.push(resolve);
        this.#onHeld();
      });
    }
    return this.#requests.run(...request);
  };

  /** Resolves with the function that sends the oldest request. */
  async next(): Promise<() => void> {
    while (this.#held.length === 0) await new Promise<void>((resolve) => (this.#onHeld = resolve));
    return this.#held.shift()!;
  }
}

interface Process extends Coordinator {
  readonly gate: Gate;
  readonly messages: string[];
}

needs('redis-server')('the Redis coordinator, one request at a time', () => {
  let redis: RedisServer;
  let connections: Connection[] = [];
  let prefix: string;
  beforeAll(async () => void (redis = await startRedis()));
  afterAll(() => redis.stop());
  beforeEach(() => void (prefix = `test-${randomUUID()}:`));
  afterEach(async () => {
    vi.useRealTimers();
    for (const connection of connections) await connection.close();
    connections = [];
  });

  async function join(): Promise<Process> {
    const connection = await connect(checkOptions({ url: redis.url }), () => undefined);
    connections.push(connection);
    const gate = new Gate(connection);
    const access = new Access({ connection, requests: gate, prefix });
    const coordinator = coordinateOnRedis(() => access, { logger: silentLogger, ttlSeconds: 60 });
    const messages: string[] = [];
    await coordinator.processes.start((message) => messages.push(message));
    return { ...coordinator, gate, messages };
  }
  const claimOf = ({ processes }: Process): Claim => ({
    token: randomUUID(),
    process: processes.id,
    fingerprint: 'request',
    state: 'open',
    abortedAt: 0,
  });

  it('assigns the claim of a dead process to the first of two takers that saw it', async () => {
    const [dead, a, b] = [await join(), await join(), await join()];
    const lost = claimOf(dead);
    await dead.claims.take('key', lost);
    a.gate.isClosed = b.gate.isClosed = true;
    const [ofA, ofB] = [claimOf(a), claimOf(b)];
    const taking = [a.claims.take('key', ofA, lost), b.claims.take('key', ofB, lost)];
    const [first, second] = [await b.gate.next(), await a.gate.next()];
    first();
    expect(await taking[1]).toEqual(ofB);
    second();
    expect(await taking[0]).toEqual(ofB);
  });

  it.each(['kept', 'freed', 'aborted'] as const)(
    'ignores the mark "%s" of a sleeper that arrives after its claim was replaced',
    async (state) => {
      const [sleeper, other] = [await join(), await join()];
      const lost = claimOf(sleeper);
      await sleeper.claims.take('key', lost);
      sleeper.gate.isClosed = true;
      const marking = sleeper.claims.mark('key', lost.token, state);
      const late = await sleeper.gate.next();
      const holder = claimOf(other);
      await other.claims.take('key', holder, lost);
      late();
      await marking;
      expect(await other.claims.take('key', claimOf(other))).toEqual(holder);
    },
  );

  it('leaves a key free if its stream was deleted before the create could mark it as kept', async () => {
    const [owner, other] = [await join(), await join()];
    const claim = claimOf(owner);
    await owner.claims.take('key', claim);
    owner.gate.isClosed = true;
    const keeping = owner.claims.mark('key', claim.token, 'kept');
    const late = await owner.gate.next();
    await other.claims.mark('key', claim.token, 'freed');
    late();
    await keeping;
    expect((await other.claims.take('key', claimOf(other))).state).toBe('freed');
  });

  it('does not restore an expired lease with a late renewal', async () => {
    const [late, other] = [await join(), await join()];
    late.gate.isClosed = true;
    // A message makes it renew its lease and read its mailbox.
    await other.processes.notify(late.processes.id, 'hello');
    const renewal = await late.gate.next();
    await redis.command('DEL', `${prefix}{proxy-${late.processes.id}}:meta`);
    renewal();
    // It now knows that it has to take a new lease, which has not reached Redis yet.
    const joining = await late.gate.next();
    expect(await other.processes.isAlive(late.processes.id)).toBe(false);
    late.gate.isClosed = false;
    const stopped = late.processes.stop();
    joining();
    await stopped;
    expect(await other.processes.isAlive(late.processes.id)).toBe(false);
  });

  it('rejects a message that arrives after its receiver died, and delivers one that arrives before', async () => {
    const [sender, dying] = [await join(), await join()];
    sender.gate.isClosed = true;
    const sending = [1, 2].map((n) => sender.processes.notify(dying.processes.id, `message ${n}`));
    (await sender.gate.next())();
    expect(await sending[0]).toBe(true);
    await vi.waitUntil(() => dying.messages.length === 1, { timeout: 20_000 });
    const late = await sender.gate.next();
    await dying.processes.stop();
    late();
    expect(await sending[1]).toBe(false);
    expect(dying.messages).toEqual(['message 1']);
  });

  it('assigns a task to one of two takers, and ignores later calls of the other one', async () => {
    const [a, b] = [await join(), await join()];
    await a.outbox.add({ id: 'task', payload: 'work', delayMs: 0 });
    const slow = (await a.outbox.take())!;
    a.gate.isClosed = true;
    const finishing = slow.done();
    const late = await a.gate.next();
    // Its process died, so the task is due again.
    await redis.command('ZADD', `${prefix}{outbox}:due`, '0', 'task');
    b.gate.isClosed = true;
    const taking = [b.outbox.take(), b.outbox.take()];
    (await b.gate.next())();
    const taken = await taking[0];
    (await b.gate.next())();
    expect(await taking[1]).toBeUndefined();
    b.gate.isClosed = false;
    late();
    expect(await finishing).toBe(false);
    expect(taken).toMatchObject({ id: 'task', attempts: 2 });
    expect(await taken!.done()).toBe(true);
  });

  it('returns the streams of a dead process even if it owned thousands', async () => {
    const [here, dying] = [await join(), await join()];
    const streamIds = Array.from({ length: 9_000 }, (_, i) => `stream-${i}`);
    await dying.processes.own('stream-0');
    await redis.command('SADD', `${prefix}{proxy-${dying.processes.id}}:owned`, ...streamIds);
    await dying.processes.stop();
    const [orphans] = await here.processes.orphans();
    expect(new Set(orphans?.streamIds)).toEqual(new Set(streamIds));
    await here.processes.forget(orphans!);
    expect(await here.processes.orphans()).toEqual([]);
  });

  it('rejects a claim that a newer version wrote', async () => {
    const here = await join();
    await here.claims.take('key', claimOf(here));
    await redis.command('HSET', `${prefix}{key}:claim`, 'v', '2');
    await expect(here.claims.take('key', claimOf(here))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('newer release') as string,
    });
  });

  it('keeps the shadow of a name short, with its newest create', async () => {
    const here = await join();
    for (let i = 0; i < 600; i += 1) {
      const entry = { streamId: `stream-${i}`, process: 'p', state: 'accepted' } as const;
      await here.names.set('name', entry);
      await here.names.set('name', { ...entry, state: 'answered' });
    }
    const log = JSON.stringify(await redis.command('XRANGE', `${prefix}{name}:log`, '-', '+'));
    expect(log.length).toBeLessThan(200_000);
    expect(log).toContain('stream-599');
    expect(await here.names.get('name')).toMatchObject({ streamId: 'stream-599', state: 'answered' });
  });
});
