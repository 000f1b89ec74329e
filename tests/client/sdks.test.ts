import Anthropic from '@anthropic-ai/sdk';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { streamText, type LanguageModel } from 'ai';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createDurableFetch } from '../../core-client/index.ts';
import { startProxy, SECRET, type TestProxy } from '../support/proxy.ts';
import { seeded } from '../support/random.ts';
import { hasRecordings } from '../support/recordings.ts';
import { startRelay, type Relay } from '../support/relay.ts';
import { startUpstream, type Upstream } from '../support/upstream.ts';
import { startProvider, streamsFor } from './provider.ts';

type Run = (baseUrl: string, fetch: typeof globalThis.fetch) => Promise<unknown>;

async function collect(stream: AsyncIterable<unknown>): Promise<unknown[]> {
  const items = [];
  for await (const item of stream) items.push(item);
  return items;
}

/** Returns the parts that a caller of the AI SDK sees, without values that differ between runs. */
async function parts(model: LanguageModel): Promise<unknown> {
  const result = streamText({ model, prompt: 'question', maxRetries: 0, onError: () => {} });
  const all = (await collect(result.fullStream)) as { type: string }[];
  return {
    parts: all.filter(({ type }) => !/^(start|start-step|finish-step|finish)$/.test(type)),
    text: await result.text,
    reasoning: await result.reasoningText,
    usage: await result.usage,
    finishReason: await result.finishReason,
  };
}

const apiKey = 'provider-key';
const messages = [{ role: 'user' as const, content: 'question' }];
const openai = (baseURL: string, fetch: typeof globalThis.fetch) =>
  new OpenAI({ apiKey, baseURL: `${baseURL}/v1`, fetch, maxRetries: 0 });
const anthropic = (baseURL: string, fetch: typeof globalThis.fetch) =>
  new Anthropic({ apiKey, baseURL, fetch, maxRetries: 0 });

const SDKS: { name: string; streams: ReturnType<typeof streamsFor>; run: Run }[] = [
  {
    name: 'openai, chat',
    streams: streamsFor('/v1/chat/completions', 'openai-chat-text', 'deepseek-reasoning'),
    run: async (url, fetch) =>
      collect(await openai(url, fetch).chat.completions.create({ model: 'm', messages, stream: true })),
  },
  {
    name: 'openai, responses',
    streams: streamsFor('/v1/responses', 'openai-responses-web-search'),
    run: async (url, fetch) =>
      collect(await openai(url, fetch).responses.create({ model: 'm', input: 'question', stream: true })),
  },
  {
    name: '@anthropic-ai/sdk',
    streams: streamsFor('/v1/messages', 'anthropic-text', 'anthropic-web-search'),
    run: async (url, fetch) =>
      collect(
        await anthropic(url, fetch).messages.create({ model: 'm', max_tokens: 9, messages, stream: true }),
      ),
  },
  {
    name: '@anthropic-ai/sdk, final message',
    streams: streamsFor('/v1/messages', 'anthropic-text'),
    run: (url, fetch) =>
      anthropic(url, fetch).messages.stream({ model: 'm', max_tokens: 9, messages }).finalMessage(),
  },
  {
    name: '@ai-sdk/openai, chat',
    streams: streamsFor('/v1/chat/completions', 'openai-chat-text'),
    run: (url, fetch) => parts(createOpenAI({ apiKey, baseURL: `${url}/v1`, fetch }).chat('m')),
  },
  {
    name: '@ai-sdk/openai, responses',
    streams: streamsFor('/v1/responses', 'openai-responses-web-search'),
    run: (url, fetch) => parts(createOpenAI({ apiKey, baseURL: `${url}/v1`, fetch })('m')),
  },
  {
    name: '@ai-sdk/anthropic',
    streams: streamsFor('/v1/messages', 'anthropic-text', 'anthropic-web-search'),
    run: (url, fetch) => parts(createAnthropic({ apiKey, baseURL: `${url}/v1`, fetch })('m')),
  },
  {
    name: '@ai-sdk/openai-compatible',
    streams: streamsFor('/v1/chat/completions', 'deepseek-reasoning'),
    run: (url, fetch) =>
      parts(createOpenAICompatible({ name: 'deepseek', apiKey, baseURL: `${url}/v1`, fetch })('m')),
  },
];

describe('SDKs run unchanged on a durable fetch', () => {
  let proxy: TestProxy;
  let relay: Relay;
  const random = seeded(20);
  /** Number of connections to cut early: in their headers or within an event. */
  let soon = 0;
  beforeAll(async () => {
    proxy = await startProxy();
    vi.stubGlobal('AI_SDK_LOG_WARNINGS', false);
    // Every connection is cut. Later ones last long enough for the largest event (64 KiB in base64), because otherwise
    // no client could make progress.
    relay = await startRelay(proxy.url, () =>
      Math.floor(soon-- > 0 ? 200 + random() * 1_500 : 95_000 + random() * 50_000),
    );
  });
  afterAll(async () => {
    await relay.close();
    await proxy.stop();
    vi.unstubAllGlobals();
  });
  const durableFetch = (origin: string) =>
    createDurableFetch({
      proxyUrl: `${origin}/v1/proxy`,
      proxyAuthorization: SECRET,
      maxReconnectAttempts: 50,
    });

  for (const { name, streams, run } of SDKS) {
    it.each(streams)(`${name}, with connections destroyed at random: $name`, async ({ bytes }) => {
      vi.spyOn(Math, 'random').mockReturnValue(0);
      const provider = await startProvider(() => bytes, bytes.length);
      try {
        const expected = await run(provider.url, fetch);
        relay.cutAll();
        soon = 6;
        const before = relay.cuts;
        const given = await run(provider.url, durableFetch(relay.url));
        expect(given).toEqual(expected);
        expect(provider.calls).toHaveLength(2);
        expect(relay.cuts - before).toBeGreaterThan(0);
      } finally {
        await provider.close();
        vi.restoreAllMocks();
      }
    });
  }

  it.skipIf(!hasRecordings)(
    'with streams that include recordings of real providers, if they are available',
    () => {
      expect(SDKS.every(({ streams }) => streams.length > 0)).toBe(true);
    },
  );

  describe('and get the errors of a provider unchanged', () => {
    let provider: Upstream;
    let answer: { status: number; headers: Record<string, string> };
    beforeAll(async () => {
      provider = await startUpstream(({ res }) => {
        res.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
        res.end(
          '{"type":"error","error":{"type":"some_error","code":"some_code","message":"from the provider"}}',
        );
      });
    });
    afterAll(() => provider.close());

    it.each([
      [401, {}],
      [429, { 'retry-after': '7', 'x-ratelimit-remaining-requests': '0' }],
      [500, { 'request-id': 'req_1' }],
    ])('%i', async (status, headers) => {
      answer = { status, headers: headers as Record<string, string> };
      for (const { name, run } of SDKS.filter(({ name }) => !name.startsWith('@ai-sdk'))) {
        const [plain, durable] = await Promise.all(
          [fetch, durableFetch(proxy.url)].map((via) =>
            run(provider.url, via).catch((error: unknown) => error),
          ),
        );
        const facts = (error: unknown) => {
          const { status, message, code, headers } = error as InstanceType<typeof OpenAI.APIError>;
          return {
            name: (error as object).constructor.name,
            status,
            message,
            code,
            retryAfter: headers?.get('retry-after'),
          };
        };
        expect(facts(durable), name).toEqual(facts(plain));
        expect(facts(durable).status).toBe(status);
      }
    });
  });
});
