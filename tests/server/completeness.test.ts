import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ControlEvent } from '../../protocol/control.ts';
import { UPSTREAM_OUTCOME, UPSTREAM_USAGE } from '../../protocol/headers.ts';
import type { ProxyEvent } from '../../server/index.ts';
import { FORMAT_ANSWERS, type FormatAnswer } from '../support/format-answers.ts';
import { SECRET, startProxy, type TestProxy } from '../support/proxy.ts';
import { seeded } from '../support/random.ts';
import { hasRecordings, recording, recordingNames } from '../support/recordings.ts';
import {
  startUpstream,
  write,
  writeInPieces,
  type Upstream,
  type UpstreamCall,
} from '../support/upstream.ts';
import { locationOf, post, readSse, withQuery } from '../support/wire.ts';

const events: ProxyEvent[] = [];
let proxy: TestProxy;
/** A proxy with `completeness: 'off'`. */
let indifferent: TestProxy;
let upstream: Upstream | undefined;

beforeAll(async () => {
  proxy = await startProxy({ upstreamLingerMs: 200, onEvent: (event) => events.push(event) });
  indifferent = await startProxy({ completeness: 'off' });
});
afterEach(async () => {
  await upstream?.close();
  upstream = undefined;
  events.length = 0;
});
afterAll(async () => {
  await proxy.stop({ drainMs: 0 });
  await indifferent.stop({ drainMs: 0 });
});

interface Ending {
  readonly url: string;
  readonly text: string;
  readonly outcome: string | undefined;
  readonly code: string | undefined;
  readonly usage: ControlEvent['upstreamUsage'];
}

async function answerOf(handler: (call: UpstreamCall) => void, through = proxy): Promise<Ending> {
  upstream = await startUpstream(handler);
  const url = locationOf(through, await post(through, `${upstream.url}/answer`));
  const { bytes, controls } = await readSse(await fetch(withQuery(url, { live: 'sse' })));
  const last = controls.at(-1);
  expect(last?.streamClosed).toBe(true);
  return {
    url,
    text: bytes.toString(),
    outcome: last?.upstreamOutcome,
    code: last?.upstreamError?.code,
    usage: last?.upstreamUsage,
  };
}

const send =
  ({ headers }: Pick<FormatAnswer, 'headers'>, text: string | Uint8Array) =>
  ({ res }: UpstreamCall): void => {
    res.writeHead(200, headers);
    void writeInPieces(res, Buffer.from(text), seeded(18)).then(() => res.end());
  };

const [chat] = FORMAT_ANSWERS as [FormatAnswer];

describe.each(FORMAT_ANSWERS)('an answer in the format $format', (answer) => {
  const whole = answer.events.join('');
  const part = answer.events.slice(0, answer.whole - 1).join('');

  it('[END-1][END-2] is complete if no event is missing', async () => {
    const ending = await answerOf(send(answer, whole));
    expect(ending).toMatchObject({ outcome: 'complete', code: undefined, text: whole });
  });

  it('[END-2] is truncated when the connection ends cleanly before its end', async () => {
    const ending = await answerOf(send(answer, part));
    expect(ending).toMatchObject({ outcome: 'truncated', code: 'UPSTREAM_TRUNCATED', text: part });
  });

  it('[END-3] is an upstream error when the provider reports one, with its bytes unchanged', async () => {
    const ending = await answerOf(send(answer, part + answer.error));
    expect(ending).toMatchObject({
      outcome: 'upstream-error',
      code: 'UPSTREAM_REPORTED_ERROR',
      text: part + answer.error,
    });
  });

  it('[END-4] is complete after upstreamLingerMs if the upstream keeps the connection open', async () => {
    const ending = await answerOf(({ res }) => {
      res.writeHead(200, answer.headers);
      void write(res, whole);
    });
    expect(ending).toMatchObject({ outcome: 'complete', text: whole });
    await (
      await upstream!.call(0)
    ).closed;
  });

  it('[USAGE-1][USAGE-2] reports its usage in the event closed, in HEAD, in reads and in the last control event', async () => {
    const { url, usage } = await answerOf(send(answer, whole));
    expect(usage).toEqual(answer.usage);
    const head = await fetch(url.split('?')[0]!, {
      method: 'HEAD',
      headers: { authorization: `Bearer ${SECRET}` },
    });
    for (const { headers } of [head, await fetch(url), await fetch(withQuery(url, { live: 'long-poll' }))]) {
      expect(JSON.parse(headers.get(UPSTREAM_USAGE) ?? 'null')).toEqual(answer.usage);
    }
    expect(events).toContainEqual(expect.objectContaining({ type: 'closed', usage: answer.usage }));
  });
});

describe('the end of an answer', () => {
  it.each([
    [
      'a body that is not an event stream',
      { headers: { 'content-type': 'application/json' } },
      chat.events[0]!,
    ],
    ['events that are of no known format', chat, 'data: {"text":"half an ans'],
    ['an event stream without a byte', chat, ''],
  ])('[END-1] is not checked for %s', async (_, head, text) => {
    expect(await answerOf(send(head, text))).toMatchObject({ outcome: 'complete', usage: undefined });
  });

  it('[END-5] is not detected with completeness off, and the usage is not read', async () => {
    const ending = await answerOf(send(chat, chat.events[0]!), indifferent);
    expect(ending).toMatchObject({ outcome: 'complete', usage: undefined });
  });

  it('[END-6] is complete if the connection breaks after it', async () => {
    const { outcome } = await answerOf(({ res }) => {
      res.writeHead(200, chat.headers);
      void write(res, chat.events.join('')).then(() => res.socket!.end('5\r\nab'));
    });
    expect(outcome).toBe('complete');
  });

  it('[OUT-4] is an upstream error if the connection breaks before it, with the usage so far', async () => {
    const ending = await answerOf(({ res }) => {
      res.writeHead(200, chat.headers);
      void write(res, chat.events[0]!).then(() => res.socket!.resetAndDestroy());
    });
    expect(ending).toMatchObject({
      outcome: 'upstream-error',
      code: 'UPSTREAM_ERROR',
      usage: { format: 'openai-chat', model: 'gpt-test', providerId: 'chatcmpl-1' },
    });
  });

  it('[USAGE-1] has the usage of an answer that was aborted', async () => {
    const first = chat.events[0]!;
    upstream = await startUpstream(({ res }) => {
      res.writeHead(200, chat.headers);
      void write(res, first);
    });
    const url = locationOf(proxy, await post(proxy, `${upstream.url}/answer`));
    const reader = readSse(await fetch(withQuery(url, { live: 'sse' })));
    await expect.poll(async () => (await (await fetch(url)).text()).length).toBe(first.length);
    await fetch(withQuery(url, { action: 'abort' }), { method: 'PATCH' });
    expect((await reader).controls.at(-1)).toMatchObject({
      upstreamOutcome: 'aborted',
      upstreamUsage: { format: 'openai-chat', model: 'gpt-test', providerId: 'chatcmpl-1' },
    });
  });

  it('[END-4] waits while bytes still arrive after it', async () => {
    const [usage, done] = chat.events.slice(3) as [string, string];
    const ending = await answerOf(({ res }) => {
      res.writeHead(200, chat.headers);
      void write(res, chat.events.slice(0, 3).join(''))
        .then(() => write(res, usage))
        .then(() => write(res, done));
    });
    expect(ending).toMatchObject({ outcome: 'complete', text: chat.events.join(''), usage: chat.usage });
  });

  it('[USAGE-3] keeps text that is not ASCII readable in the header', async () => {
    const text = chat.events.join('').replaceAll('gpt-test', 'modèle-🌊');
    const { url } = await answerOf(send(chat, text));
    const header = (await fetch(url)).headers.get(UPSTREAM_USAGE)!;
    expect(header).toMatch(/^[\x20-\x7e]+$/);
    expect(JSON.parse(header)).toMatchObject({ model: 'modèle-🌊' });
    expect((await fetch(url)).headers.get(UPSTREAM_OUTCOME)).toBe('complete');
  });
});

// The recordings are not a part of the repository. server/formats/reader.test.ts cuts them everywhere.
describe.runIf(hasRecordings).each(recordingNames)('the recording %s', (name) => {
  // The body of a skipped suite runs too.
  const bytes = hasRecordings ? recording(name) : Buffer.alloc(0);

  it('[END-2] is complete as recorded, and truncated at half', async () => {
    expect(await answerOf(send(chat, bytes))).toMatchObject({
      outcome: 'complete',
      text: bytes.toString(),
    });
    await upstream!.close();
    expect(await answerOf(send(chat, bytes.subarray(0, bytes.length / 2)))).toMatchObject({
      outcome: 'truncated',
    });
  });
});
