import { describe, expect, it, vi } from 'vitest';
import { OUTCOMES } from '../protocol/outcomes.ts';
import { drain, UPSTREAM, useRig } from '../tests/client/support.ts';
import { DurableStreamError } from './errors.ts';

const rig = useRig();

describe('how a body ends', () => {
  it.each(OUTCOMES.filter((outcome) => outcome !== 'complete'))(
    'with an error after the last byte: %s',
    async (outcome) => {
      const told = { code: `CODE_${outcome}`, message: 'because' };
      rig.standIn.upstream = (stream) => void stream.push('some ', 'bytes').close(outcome, told);
      const response = await rig.client()(UPSTREAM, { body: 'x' });
      const { text, error } = await drain(response);
      expect(text).toBe('some bytes');
      expect(error).toBeInstanceOf(DurableStreamError);
      expect(error).toMatchObject({
        ...told,
        outcome,
        method: 'POST',
        url: 'https://api.example.com/v1/chat',
      });
      expect(await response.outcome).toBe(outcome);
      const status = outcome === 'aborted' ? 'aborted' : 'failed';
      expect(rig.states.at(-1)).toMatchObject({ status, outcome, error });
    },
  );

  it('with an error of its own code where the server gives none', async () => {
    rig.standIn.upstream = (stream) => void stream.push('some').close('too-large');
    const { error } = await drain(await rig.client()(UPSTREAM));
    expect(error).toMatchObject({ code: 'TOO_LARGE', outcome: 'too-large' });
  });

  it('after the last byte also where the bytes and the end come at once, and for a clone', async () => {
    rig.standIn.upstream = (stream) => void stream.push('some').close('timeout');
    const response = await rig.client()(UPSTREAM);
    const copy = response.clone();
    await expect(response.text()).rejects.toMatchObject({ outcome: 'timeout' });
    await expect(copy.text()).rejects.toMatchObject({ outcome: 'timeout' });
  });

  it('after all that a pipe made of the last byte', async () => {
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

  it('whole, when it is empty', async () => {
    rig.standIn.upstream = (stream) => void stream.close();
    expect(await (await rig.client()(UPSTREAM)).text()).toBe('');
    expect(rig.states.at(-1)?.status).toBe('complete');
  });

  it('whole, on a server of the plain protocol, which tells no outcome', async () => {
    rig.standIn.extensions = false;
    rig.standIn.base64 = false;
    rig.standIn.upstream = (stream) => void stream.push('größe\n', '€').close();
    const response = await rig.client()(UPSTREAM);
    expect(await response.text()).toBe('größe\n€');
    expect(await response.outcome).toBe('complete');
  });
});

describe('reading', () => {
  it('takes nothing before it is asked, and one frame when it is', async () => {
    const parts = Array.from({ length: 400 }, () => 'x'.repeat(60_000));
    rig.standIn.upstream = (stream) => void stream.push(...parts).close();
    const response = await rig.client()(UPSTREAM);
    expect(response.offset).toBeUndefined();
    const reader = response.body!.getReader();
    await reader.read();
    expect(response.offset).toBe('o00000001');
    await reader.read();
    expect(response.offset).toBe('o00000002');
    // The rest stays with the server, as far as the socket's own buffers do not take it.
    expect(rig.standIn.unsent).toBeGreaterThan(parts.length / 2);
    await reader.cancel();
  });

  it('hands out the first bytes before more come', async () => {
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

describe('leaving', () => {
  it('by cancel frees everything, and leaves the upstream running', async () => {
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

  it('by a signal while reading errors the body with its reason', async () => {
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

  it('by a signal with a reason of its own gives that reason, before, during and after the POST', async () => {
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

  it('while it waits for another attempt ends the wait within the turn', async () => {
    // Minutes, which no test waits for.
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

  it('when it is complete changes nothing, not even from within a listener', async () => {
    const controller = new AbortController();
    const call = rig.client({
      onResumption: ({ status }) => {
        if (status === 'complete') controller.abort();
      },
    });
    expect(await (await call(UPSTREAM, { signal: controller.signal })).text()).toBe('hello');
  });

  it('is for the one who left: a second reader of the same answer goes on', async () => {
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
