import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { AiMajor } from './support/bundle.ts';
import { startFront, type Front } from './support/front.ts';
import { ANSWER, startModel, type Behavior, type StandInModel } from './support/model.ts';
import { startSample, type SampleProcess } from './support/server-process.ts';
import { createDurableFetch } from 'durable-proxy/client';

const SAMPLE = 'react/express-server.ts';
const SECRETS = {
  JWT_SECRET: 'a-secret-of-the-samples-that-is-long-enough',
  CHAT_KEY: 'a-key-of-the-samples',
};
const MESSAGES = [{ id: 'm1', role: 'user', parts: [{ type: 'text', text: 'On drops of water' }] }];

let front: Front;
let model: StandInModel;
beforeAll(async () => {
  [front, model] = await Promise.all([startFront(), startModel()]);
});
afterAll(async () => {
  await front.close();
  await model.close();
});
afterEach(() => model.reset());

async function start(env: Record<string, string> = {}, ai: AiMajor = 6): Promise<SampleProcess> {
  const server = await startSample(
    SAMPLE,
    { ...SECRETS, APP_URL: front.origin, OPENAI_BASE_URL: model.url, OPENAI_API_KEY: 'sk-stand-in', ...env },
    { ai },
  );
  front.route({ '/': `http://127.0.0.1:${server.port}` });
  return server;
}

function ask(messages: unknown = MESSAGES): Promise<Response> {
  const durableFetch = createDurableFetch({ proxyUrl: `${front.origin}/v1/proxy` });
  return durableFetch(`${front.origin}/api/chat`, {
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages }),
  });
}

describe.each([5, 6, 7] as const)('[react/express-server.ts] on AI SDK %i', (ai) => {
  let server: SampleProcess;
  beforeAll(async () => {
    server = await start({}, ai);
  });
  afterAll(() => server.dispose());

  it('streams the model’s answer', async () => {
    const text = await (await ask()).text();
    expect(deltas(text)).toBe(ANSWER);
    expect(text).toContain('"type":"finish"');
    expect(model.calls[0]).toMatchObject({ path: '/v1/responses', authorization: 'Bearer sk-stand-in' });
  });

  it.each<Behavior>([401, 429, 500])('reports an error when the model answers %s', async (behavior) => {
    model.behavior = behavior;
    const text = await (await ask()).text();
    expect(text).toContain('"errorText":"The model could not answer. Try again later."');
    model.behavior = 'ok';
    expect(deltas(await (await ask()).text())).toBe(ANSWER);
    expect(server.exitCode()).toBeUndefined();
  });

  it.each<Behavior>(['breaks', 'short'])('never finishes the answer of a model that %s', async (behavior) => {
    model.behavior = behavior;
    const text = await ask()
      .then((response) => response.text())
      .catch((error: unknown) => String(error));
    expect(text).not.toContain('"type":"finish"');
    await expect.poll(server.output).toMatch(/incomplete|terminated|cannot connect|reset|other side closed/i);
    model.behavior = 'ok';
    expect(deltas(await (await ask()).text())).toBe(ANSWER);
    expect(server.exitCode()).toBeUndefined();
  });

  it('closes the model’s request within a second of an abort', async () => {
    model.behavior = 'slow';
    const response = (await ask()) as Awaited<ReturnType<ReturnType<typeof createDurableFetch>>>;
    const call = await model.call(0);
    const start = performance.now();
    await response.abort();
    expect(await call.closed).toBe(false);
    expect(performance.now() - start).toBeLessThan(1000);
    expect(server.exitCode()).toBeUndefined();
  });
});

function deltas(text: string): string {
  return [...text.matchAll(/"delta":("(?:[^"\\]|\\.)*")/g)]
    .map(([, json]) => JSON.parse(json!) as string)
    .join('');
}
