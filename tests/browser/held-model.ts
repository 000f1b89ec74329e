import { EventEmitter, once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { createScriptedModel, type ModelCall } from '../../demo/agent/scripted-model.ts';

/** A model in another process than the demo. The test decides where it stops and when it continues. */
export interface HeldModel {
  /** Base URL, for the demo's `MODEL_URL`. */
  readonly url: string;
  readonly calls: readonly ModelCall[];
  /** Lets the answers run up to the end of this text, and no further. */
  holdAfter(text: string): void;
  /** Lets them run to their end. */
  release(): void;
  /** Resolves when the call with this number (from 0) is over, by itself or by its caller. */
  ended(number: number): Promise<ModelCall>;
  dispose(): Promise<void>;
}

export async function startModel(answer: { text: string; reasoning?: string }): Promise<HeldModel> {
  let limit = 0;
  const events = new EventEmitter().setMaxListeners(0);
  const sent = new WeakMap<AbortSignal, number>();

  const { router, calls } = createScriptedModel({
    answer: () => ({ reasoning: '', ...answer }),
    async pace({ kind, text }, signal) {
      if (kind === 'reasoning') return;
      const start = sent.get(signal) ?? 0;
      while (start >= limit) await once(events, 'moved', { signal });
      sent.set(signal, start + text.length);
    },
    onCall: () => void events.emit('call'),
  });
  const server = createServer(express().use('/v1', router)).listen(0, '127.0.0.1');
  await once(server, 'listening');

  const move = (to: number): void => {
    limit = to;
    events.emit('moved');
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    calls,
    holdAfter(text) {
      const at = answer.text.indexOf(text);
      if (at < 0) throw new Error(`the answer does not contain "${text}"`);
      move(at + text.length);
    },
    release: () => move(Infinity),
    async ended(number) {
      for (;;) {
        const call = calls[number];
        if (call !== undefined && call.state !== 'running') return call;
        await once(events, 'call');
      }
    },
    async dispose() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
