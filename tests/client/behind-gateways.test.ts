import { setTimeout as delay } from 'node:timers/promises';
import Anthropic from '@anthropic-ai/sdk';
import { createOpenAI } from '@ai-sdk/openai';
import { APICallError, generateText } from 'ai';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createDurableFetch } from '../../core-client/index.ts';
import { MemoryStorage } from '../../core-client/storage.ts';
import { startGateway, type Gateway, type GatewayOptions } from '../support/gateway.ts';
import { SECRET, startProxy, type TestProxy } from '../support/proxy.ts';
import { startUpstream, type Upstream } from '../support/upstream.ts';

const apiKey = 'provider-key';
const messages = [{ role: 'user' as const, content: 'question' }];

/** The result of a call, which must be the same with and without a proxy. */
interface Facts {
  readonly status: number | undefined;
  readonly requestId: string | null | undefined;
  readonly remaining: string | null | undefined;
  readonly retryAfter: string | null | undefined;
  readonly answer: unknown;
}

type Call = (baseURL: string, fetch: typeof globalThis.fetch) => Promise<Facts>;

const factsOf = (headers: Headers | undefined, status: number | undefined, answer: unknown): Facts => ({
  status,
  requestId: headers?.get('x-request-id'),
  remaining: headers?.get('x-ratelimit-remaining-requests'),
  retryAfter: headers?.get('retry-after'),
  answer,
});

const failed = (error: unknown): Facts => {
  if (APICallError.isInstance(error)) {
    const headers = new Headers(error.responseHeaders);
    return factsOf(headers, error.statusCode, error.responseBody);
  }
  if (!(error instanceof OpenAI.APIError || error instanceof Anthropic.APIError)) throw error;
  return { ...factsOf(error.headers, error.status, error.error), requestId: error.requestID };
};

const SDKS: Record<string, Call> = {
  openai: async (baseURL, fetch) => {
    const client = new OpenAI({ apiKey, baseURL: `${baseURL}/v1`, fetch, maxRetries: 0 });
    const {
      data,
      response,
      request_id: requestId,
    } = await client.chat.completions.create({ model: 'm', messages }).withResponse();
    return { ...factsOf(response.headers, response.status, data.choices), requestId };
  },
  '@anthropic-ai/sdk': async (baseURL, fetch) => {
    const client = new Anthropic({ apiKey, baseURL, fetch, maxRetries: 0 });
    const {
      data,
      response,
      request_id: requestId,
    } = await client.messages.create({ model: 'm', max_tokens: 9, messages }).withResponse();
    return { ...factsOf(response.headers, response.status, data.content), requestId };
  },
  'the AI SDK': async (baseURL, fetch) => {
    const model = createOpenAI({ apiKey, baseURL: `${baseURL}/v1`, fetch }).chat('m');
    const { response, text } = await generateText({ model, messages, maxRetries: 0 });
    return factsOf(new Headers(response.headers), undefined, text);
  },
};

const ANSWERS: Record<string, unknown> = {
  '/v1/chat/completions': {
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1,
    model: 'm',
    choices: [{ index: 0, message: { role: 'assistant', content: 'an answer' }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
  },
  '/v1/messages': {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'm',
    content: [{ type: 'text', text: 'an answer' }],
    stop_reason: 'end_turn',
    usage: { input_tokens: 1, output_tokens: 2 },
  },
};

/** A provider that responds to each call with a status after a delay. */
const startThinker = (thinkMs: number, status: number): Promise<Upstream> =>
  startUpstream(({ req, res }) => {
    const error = {
      type: 'error',
      error: { type: 'some_error', code: 'some_code', message: 'from the provider' },
    };
    void delay(thinkMs).then(() => {
      res.writeHead(status, {
        'content-type': 'application/json',
        'x-request-id': 'req_1',
        'request-id': 'req_1',
        'x-ratelimit-remaining-requests': '41',
        ...(status === 429 && { 'retry-after': '7' }),
      });
      res.end(JSON.stringify(status < 300 ? ANSWERS[req.url ?? ''] : error));
    });
  });

let proxy: TestProxy;
const gateways: Gateway[] = [];
beforeAll(async () => {
  vi.stubGlobal('AI_SDK_LOG_WARNINGS', false);
  proxy = await startProxy();
});
afterAll(async () => {
  await Promise.all(gateways.map((gateway) => gateway.close()));
  await proxy.stop({ drainMs: 0 });
  vi.unstubAllGlobals();
});

/** Compares calls through all gateways with calls without a proxy. Each must reach the provider once. */
async function compare(
  sdks: string[],
  status: number,
  thinkMs: number,
  limits: GatewayOptions,
): Promise<number> {
  const gateway = await startGateway(proxy.url, { ...limits, replaces502: true });
  gateways.push(gateway);
  const provider = await startThinker(thinkMs, status);
  const durableFetch = createDurableFetch({
    proxyUrl: `${gateway.url}/v1/proxy`,
    proxyAuthorization: SECRET,
  });
  try {
    await Promise.all(
      sdks.map(async (name) => {
        const run = SDKS[name]!;
        const [plain, durable] = await Promise.all(
          [fetch, durableFetch].map((via) => run(provider.url, via).catch(failed)),
        );
        expect(durable, name).toEqual(plain);
        expect(plain!.requestId, name).toBe('req_1');
        expect(plain!.remaining, name).toBe('41');
        if (status === 429) expect(plain!.retryAfter, name).toBe('7');
      }),
    );
    expect(provider.calls).toHaveLength(2 * sdks.length);
    return gateway.faults;
  } finally {
    await provider.close();
  }
}

describe('behind a load balancer with a timeout, a CDN that replaces error bodies, and a proxy that closes idle connections', () => {
  it.concurrent.each([200, 202, 401, 429, 500])(
    '[CLIENT-12] SDKs get the %i of the provider as without a proxy',
    async (status) => {
      const limits = { headersTimeoutMs: 500, idleTimeoutMs: 400 };
      // The connection of each read is cut while the provider thinks.
      expect(await compare(Object.keys(SDKS), status, 1_500, limits)).toBeGreaterThanOrEqual(3);
    },
  );

  it.concurrent(
    'SDKs get the answer of a provider that thinks for 20 s, with timeouts of 2 s for a POST and 5 s without bytes',
    { timeout: 60_000 },
    async () => {
      const limits = { headersTimeoutMs: 2_000, idleTimeoutMs: 5_000 };
      expect(await compare(Object.keys(SDKS), 200, 20_000, limits)).toBeGreaterThanOrEqual(3);
    },
  );
});

it.each(Object.entries(SDKS))(
  '[RESP-6] %s returns the same result after a resume in another page',
  async (_, run) => {
    const provider = await startThinker(300, 202);
    const storage = new MemoryStorage();
    const page = (): typeof globalThis.fetch => {
      const durableFetch = createDurableFetch({ proxyUrl: proxy.base, proxyAuthorization: SECRET, storage });
      return (input, init) => durableFetch(input, { ...init, requestId: 'one' });
    };
    try {
      const plain = await run(provider.url, fetch);
      const closed = new AbortController();
      const first = run(provider.url, (input, init) => page()(input, { ...init, signal: closed.signal }));
      await provider.call(1);
      closed.abort();
      await expect(first).rejects.toThrow();
      expect(await run(provider.url, page())).toEqual(plain);
      expect(provider.calls).toHaveLength(2);
    } finally {
      await provider.close();
    }
  },
);
