import { describe, expect, it, vi } from 'vitest';
import { OUTCOMES, type Outcome } from '../protocol/outcomes.ts';
import { drain, UPSTREAM, useRig } from '../tests/client/support.ts';
import { DurableStreamError } from './errors.ts';

const rig = useRig();

describe('the end of a body', () => {
  it.each(OUTCOMES.filter((outcome) => outcome !== 'complete'))(
    'is an error after the last byte if the outcome is %s',
    async (outcome) => {
      const reported = { code: `CODE_${outcome}`, message: 'because' };
      rig.standIn.upstream = (stream) => void stream.push('some ', 'bytes').close(outcome, reported);
      const response = await rig.client()(UPSTREAM, { body: 'x' });
      const { text, error } = await drain(response);
      expect(text).toBe('some bytes');
      expect(error).toBeInstanceOf(DurableStreamError);
      expect(error).toMatchObject({
        ...reported,
        outcome,
        method: 'POST',
        url: 'https://api.example.com/v1/chat',
      });
      expect(await response.outcome).toBe(outcome);
      const status = outcome === 'aborted' ? 'aborted' : 'failed';
      expect(rig.states.at(-1)).toMatchObject({ status, outcome, error });
    },
  );

  it('is an error with a code of the client if the server sends no code', async () => {
    rig.standIn.upstream = (stream) => void stream.push('some').close('too-large');
    const { error } = await drain(await rig.client()(UPSTREAM));
    expect(error).toMatchObject({ code: 'TOO_LARGE', outcome: 'too-large' });
  });

  it('is an error if the outcome is one of a later version', async () => {
    const reported = { code: 'OVER_BUDGET', message: 'because' };
    rig.standIn.upstream = (stream) => void stream.push('some').close('over-budget' as Outcome, reported);
    const { text, error } = await drain(await rig.client()(UPSTREAM));
    expect(text).toBe('some');
    expect(error).toMatchObject({ ...reported, name: 'DurableStreamError', outcome: 'over-budget' });
    expect(rig.states.at(-1)).toMatchObject({ status: 'failed', outcome: 'over-budget', error });
  });

  it('comes after the last byte even if both arrive together, also for a clone', async () => {
    rig.standIn.upstream = (stream) => void stream.push('some').close('timeout');
    const response = await rig.client()(UPSTREAM);
    const copy = response.clone();
    await expect(response.text()).rejects.toMatchObject({ outcome: 'timeout' });
    await expect(copy.text()).rejects.toMatchObject({ outcome: 'timeout' });
  });

  it('comes after all output of a pipe', async () => {
    rig.standIn.upstream = (stream) => void stream.push('abc'.repeat(500)).close('timeout');
    const letters = new TransformStream<Uint8Array, number>({
      transform: (chunk, controller) => chunk.forEach((byte) => controller.enqueue(byte)),
    });
    const read: number[] = [];
    const reading = async () => {
      const body = (await rig.client()(UPSTREAM)).body!.pipeThrough(letters);
      for await (const letter of body) read.push(letter);
    };
    await expect(reading()).rejects.toMatchObject({ outcome: 'timeout' });
    expect(Buffer.from(read).toString()).toBe('abc'.repeat(500));
  });

  it('is complete for an empty body', async () => {
    rig.standIn.upstream = (stream) => void stream.close();
    expect(await (await rig.client()(UPSTREAM)).text()).toBe('');
    expect(rig.states.at(-1)?.status).toBe('complete');
  });

  it('is complete on a server of the plain protocol, which sends no outcome', async () => {
    rig.standIn.extensions = false;
    rig.standIn.base64 = false;
    rig.standIn.upstream = (stream) => void stream.push('größe\n', '€').close();
    const response = await rig.client()(UPSTREAM);
    expect(await response.text()).toBe('größe\n€');
    expect(await response.outcome).toBe('complete');
  });
});

describe('reading a body', () => {
  it('fetches nothing before the first read, and one frame for it', async () => {
    const parts = Array.from({ length: 400 }, () => 'x'.repeat(60_000));
    rig.standIn.upstream = (stream) => void stream.push(...parts).close();
    const response = await rig.client()(UPSTREAM);
    expect(response.offset).toBeUndefined();
    const reader = response.body!.getReader();
    await reader.read();
    expect(response.offset).toBe('o00000001');
    await reader.read();
    expect(response.offset).toBe('o00000002');
    // The rest stays on the server, except for what fits into the socket buffers.
    expect(rig.standIn.unsent).toBeGreaterThan(parts.length / 2);
    await reader.cancel();
  });

  it('returns the first bytes before more arrive', async () => {
    let stream: Parameters<typeof rig.standIn.upstream>[0] | undefined;
    rig.standIn.upstream = (made) => void (stream = made.push('first'));
    const reader = (await rig.client()(UPSTREAM)).body!.getReader();
    const read = async () => new TextDecoder().decode((await reader.read()).value);
    expect(await read()).toBe('first');
    stream?.push('second');
    expect(await read()).toBe('second');
    stream?.close();
    expect((await reader.read()).done).toBe(true);
  });
});

describe('a reader that stops', () => {
  it('releases all resources by cancel, and the upstream continues', async () => {
    rig.standIn.upstream = (stream) => void stream.push('some ');
    const response = await rig.client()(UPSTREAM, { requestId: 'id' });
    const reader = response.body!.getReader();
    await reader.read();
    const pending = reader.read();
    await reader.cancel('enough');
    expect((await pending).done).toBe(true);
    await rig.standIn.until(() => rig.standIn.readers === 0);
    expect(rig.standIn.count('abort')).toBe(0);
    expect(rig.states.at(-1)?.status).toBe('idle');
    expect(await response.outcome).toBe('aborted');
  });

  it('errors the body with the reason of its signal while reading', async () => {
    rig.standIn.upstream = (stream) => void stream.push('some ');
    const controller = new AbortController();
    const remove = vi.spyOn(controller.signal, 'removeEventListener');
    const response = await rig.client()(UPSTREAM, { signal: controller.signal });
    const reader = response.body!.getReader();
    await reader.read();
    const pending = reader.read();
    controller.abort();
    await expect(pending).rejects.toMatchObject({ name: 'AbortError' });
    await rig.standIn.until(() => rig.standIn.readers === 0);
    expect(remove).toHaveBeenCalled();
    expect(rig.states.at(-1)?.status).toBe('idle');
  });

  it('gets the custom reason of its signal before, during and after the POST', async () => {
    const reason = new Error('mine');
    await expect(rig.client()(UPSTREAM, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(rig.standIn.seen).toHaveLength(0);

    const during = new AbortController();
    rig.standIn.faults.create.push('no-answer');
    const call = rig.client()(UPSTREAM, { signal: during.signal });
    await rig.standIn.until(() => rig.standIn.count('create') === 1);
    during.abort(reason);
    await expect(call).rejects.toBe(reason);

    const after = new AbortController();
    rig.standIn.upstream = (stream) => void stream.push('some ');
    const response = await rig.client()(UPSTREAM, { signal: after.signal });
    after.abort(reason);
    await expect(response.text()).rejects.toBe(reason);
  });

  it('ends the wait for the next attempt in the same turn', async () => {
    // Minutes: the test would time out if it waited for them.
    vi.spyOn(Math, 'random').mockReturnValue(1_000);
    const controller = new AbortController();
    rig.standIn.faults.create.push('after-headers');
    rig.standIn.faults.read.push('before-request');
    const [set, clear] = [vi.spyOn(globalThis, 'setTimeout'), vi.spyOn(globalThis, 'clearTimeout')];
    const waits = () => set.mock.results.filter((_, at) => Number(set.mock.calls[at]?.[1]) > 60_000);
    const response = await rig.client()(UPSTREAM, { signal: controller.signal });
    const ended = expect(response.text()).rejects.toMatchObject({ name: 'AbortError' });
    await vi.waitUntil(() => waits().length > 0);
    controller.abort();
    expect(clear.mock.calls.map(([timer]) => timer)).toContain(waits()[0]?.value);
    await ended;
  });

  it('changes nothing after the body is complete, not even in a listener', async () => {
    const controller = new AbortController();
    const call = rig.client({
      onResumption: ({ status }) => {
        if (status === 'complete') controller.abort();
      },
    });
    expect(await (await call(UPSTREAM, { signal: controller.signal })).text()).toBe('hello');
  });

  it('does not affect a second reader of the same answer', async () => {
    rig.standIn.upstream = (stream) => void stream.push('some ');
    const call = rig.client();
    const [first, second] = await Promise.all(
      [1, 2].map(() => call(UPSTREAM, { body: 'x', requestId: 'id' })),
    );
    await first?.body?.cancel();
    [...rig.standIn.streams.values()][0]?.push('more').close();
    expect(await second?.text()).toBe('some more');
    expect(rig.standIn.upstreamCalls).toBe(1);
  });
});
