import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDurableFetch } from 'durable-proxy/client';
import { needs } from '../requirements.ts';
import { ANSWER, startModel, type StandInModel } from '../samples/support/model.ts';
import { startRedis, type RedisServer } from '../store/redis/servers.ts';
import { freePort, type Command } from './commands.ts';
import { installExample, type Example } from './example.ts';

/** The secret in the README's second command. */
const SECRET = 'a-secret-for-development';
const WORKERS = 2;

needs('redis-server')('examples/cluster-redis', () => {
  let example: Example;
  let model: StandInModel;
  let redis: RedisServer;
  let command: Command;
  let port: number;
  /** Of the primary process. The command is npm, which starts it. */
  let pid: number;

  beforeAll(async () => {
    [example, model, redis, port] = await Promise.all([
      installExample('cluster-redis'),
      startModel(),
      startRedis(),
      freePort(),
    ]);
    command = example.start({
      REDIS_URL: redis.url,
      PORT: String(port),
      WORKERS: String(WORKERS),
      ALLOW: 'http://127.0.0.1:*/**',
    });
    pid = Number((await command.printed(/Process (\d+): 2 workers listen/))[1]);
  });
  afterAll(async () => {
    await command?.stop();
    await Promise.all([model?.close(), redis?.stop()]);
    await example?.remove();
  });

  it('replaces its workers during running answers and new ones, and loses nothing', async () => {
    const durableFetch = createDurableFetch({
      proxyUrl: `http://127.0.0.1:${port}/v1/proxy`,
      proxyAuthorization: SECRET,
    });
    let asked = 0;
    const ask = async () => {
      asked += 1;
      const answer = await durableFetch(`${model.url}/text`, { body: '{}', requestId: crypto.randomUUID() });
      return { text: await answer.text(), outcome: await answer.outcome };
    };
    const whole = { text: ANSWER, outcome: 'complete' };

    // Answers of which the first half has arrived when the restart begins.
    model.behavior = 'slow';
    const running = Array.from({ length: 10 }, ask);
    await model.call(9);
    model.behavior = 'ok';

    const restart = new AbortController();
    const replaced = command.printed(/Replaced all workers/).finally(() => restart.abort());
    const askUntilReplaced = async () => {
      const answers = [];
      while (!restart.signal.aborted) answers.push(await ask());
      return answers;
    };
    const duringRestart = Promise.all(Array.from({ length: 5 }, askUntilReplaced));
    process.kill(pid, 'SIGHUP');
    await replaced;
    for (const answers of await duringRestart) for (const answer of answers) expect(answer).toEqual(whole);
    // The old workers still complete their answers, and the new ones have taken over.
    expect(await ask()).toEqual(whole);
    model.finish();
    expect(await Promise.all(running)).toEqual(running.map(() => whole));
    // Each answer was asked for once.
    expect(model.calls).toHaveLength(asked);
  });

  it('exits after SIGTERM', async () => {
    process.kill(pid, 'SIGTERM');
    expect(await command.exited).toBe(0);
  });
});
