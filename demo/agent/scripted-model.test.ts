import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { streamText } from 'ai';
import express from 'express';
import { afterEach, describe, expect, it } from 'vitest';
import { ANSWERS } from './answers.ts';
import { createScriptedModel, type ModelCall, type ScriptedModelOptions } from './scripted-model.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function start(options: ScriptedModelOptions = {}) {
  const scripted = createScriptedModel({ pace: async () => {}, ...options });
  const server = createServer(express().use('/v1', scripted.router)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  const baseURL = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  const model = createOpenAICompatible({ name: 'scripted', baseURL }).chatModel('scripted');
  return { ...scripted, baseURL, model };
}

describe('the scripted model', () => {
  it.each(ANSWERS)(
    'sends the answer to "$prompt" character by character through the AI SDK',
    async ({ prompt, reasoning, text }) => {
      const { model, calls } = await start();
      const result = streamText({ model, prompt });
      expect(await result.text).toBe(text);
      expect(await result.reasoningText).toBe(reasoning);
      expect(await result.finishReason).toBe('stop');
      expect(calls).toEqual([{ prompt, sent: expect.any(Number) as number, state: 'done' }]);
      expect(calls[0]!.sent).toBeGreaterThan(100);
    },
  );

  it('sends the same bytes for the same question', async () => {
    const { baseURL } = await start();
    const ask = async () => {
      const messages = [{ role: 'user', content: [{ type: 'text', text: 'something else' }] }];
      const response = await fetch(`${baseURL}/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'any', stream: true, messages }),
      });
      return response.text();
    };
    expect(await ask()).toBe(await ask());
  });

  it('notices that its caller has disconnected', async () => {
    let cut: (call: ModelCall) => void;
    const over = new Promise<ModelCall>((resolve) => (cut = resolve));
    const { model } = await start({
      pace: ({ index }, signal) =>
        index < 3 ? Promise.resolve() : once(signal, 'abort').then(() => undefined),
      onCall: (call) => call.state !== 'running' && cut({ ...call }),
    });
    const leave = new AbortController();
    const { fullStream } = streamText({ model, prompt: 'story', abortSignal: leave.signal });
    let deltas = 0;
    for await (const part of fullStream) if (part.type === 'reasoning-delta' && ++deltas === 3) leave.abort();
    expect(await over).toEqual({ prompt: 'story', sent: 3, state: 'cut' });
  });

  it('rejects requests other than streaming chat completions', async () => {
    const { baseURL, calls } = await start();
    const response = await fetch(`${baseURL}/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"messages":[]}',
    });
    expect(response.status).toBe(400);
    expect(calls).toEqual([]);
  });
});
