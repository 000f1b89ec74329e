import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { durableInspector, type DurableInspectorOptions } from '../../server/inspector.ts';
import { ACTION_HEADER, type InspectorMessage } from '../../server/inspector/wire/types.ts';
import { ProcessState } from '../../server/inspector/wire/process-state.ts';
import type { DurableProxyOptions } from '../../server/index.ts';
import { createRouter, SECRET } from '../support/proxy.ts';

export interface InspectedApp {
  readonly url: string;
  /** The mount of the proxy. */
  readonly base: string;
  /** The mount of the inspector, with a slash at its end. */
  readonly ops: string;
  stop(): Promise<void>;
}

/** An app with a proxy at `/v1/proxy` and its inspector at `/ops/streams`. */
export async function startInspectedApp(
  options: Partial<DurableProxyOptions> = {},
  inspector: DurableInspectorOptions = { authorize: () => true },
): Promise<InspectedApp> {
  const { proxy, close } = await createRouter(options);
  const app = express();
  app.use('/v1/proxy', proxy);
  app.use('/ops/streams', durableInspector(proxy, inspector));
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  await proxy.ready;
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    base: `${url}/v1/proxy`,
    ops: `${url}/ops/streams/`,
    async stop() {
      await close();
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Requests an action as the page does. */
export function act(ops: string, path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${ops}api/answers/${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${SECRET}`, [ACTION_HEADER]: '1', ...headers },
  });
}

export async function jsonOf<T>(url: string): Promise<T> {
  const response = await fetch(url, { headers: { authorization: `Bearer ${SECRET}` } });
  return (await response.json()) as T;
}

export function snapshotOf(ops: string): Promise<InspectorMessage> {
  return jsonOf(`${ops}api/snapshot`);
}

/** Follows the events of the inspector until `enough` returns true for the states of all processes. */
export async function follow(
  ops: string,
  enough: (states: ReadonlyMap<string, ProcessState>, message: InspectorMessage) => boolean,
): Promise<void> {
  const abort = new AbortController();
  const headers = { authorization: `Bearer ${SECRET}` };
  const response = await fetch(`${ops}api/events`, { headers, signal: abort.signal });
  const states = new Map<string, ProcessState>();
  let rest = '';
  for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
    const events = (rest + text).split('\n\n');
    rest = events.pop() ?? '';
    for (const event of events.filter((each) => each.startsWith('data: '))) {
      const message = JSON.parse(event.slice(6)) as InspectorMessage;
      for (const frame of message.frames) {
        const state = states.get(frame.process) ?? new ProcessState(frame.process);
        states.set(frame.process, state);
        state.apply(frame);
      }
      if (!enough(states, message)) continue;
      abort.abort();
      return;
    }
  }
  throw new Error('the events ended');
}
