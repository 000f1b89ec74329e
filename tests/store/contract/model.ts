import fc from 'fast-check';
import * as vitest from 'vitest';
import { expect } from 'vitest';
import type { Offset, StreamEnd, StreamStore } from '../../../server/store/types.ts';
import { suiteOf } from '../../../server/testing/byte-store/suite.ts';
import {
  init,
  newId,
  noise,
  readAll,
  storeError,
  Tail,
  type StoreFactory,
} from '../../../server/testing/byte-store/support.ts';

/** A log in memory: a store must be indistinguishable from it. */
class ModelStream {
  bytes = Buffer.alloc(0);
  end: StreamEnd | undefined;
  /** Offsets that the store issued, by byte position. */
  readonly offsets = new Map<number, Offset>([[0, '-1']]);
}

type Step =
  | { do: 'create' | 'head' | 'delete' | 'follow'; on: number }
  | { do: 'append'; on: number; sizes: number[] }
  | { do: 'close'; on: number; size: number; aborted: boolean }
  | { do: 'read'; on: number; from: number; maxBytes: number };

const on = fc.nat({ max: 2 });
const size = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 200 }) },
  { weight: 2, arbitrary: fc.integer({ min: 1000, max: 5000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 60_000, max: 140_000 }) },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('create' as const), on }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      on,
      sizes: fc.array(size, { minLength: 1, maxLength: 4 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('read' as const),
      on,
      from: fc.nat(),
      maxBytes: fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 100_000 })),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('follow' as const), on }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('head' as const), on }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const), on }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('close' as const), on, size, aborted: fc.boolean() }),
  },
);

/** Applies one step to the store and to the model, and compares them. */
async function run(store: StreamStore, models: Map<string, ModelStream>, id: string, s: Step, seed: number) {
  const model = models.get(id);
  if (s.do === 'create') {
    expect(await store.create(id, init())).toBe(model === undefined);
    if (!model) models.set(id, new ModelStream());
    return;
  }
  if (s.do === 'delete') {
    expect(await store.delete(id)).toBe(model !== undefined);
    models.delete(id);
    return;
  }
  if (s.do === 'head' && !model) {
    expect(await store.head(id)).toBeUndefined();
    return;
  }
  if (!model) {
    const attempts = {
      append: () => store.append(id, Buffer.from('x')),
      close: () => store.close(id, { outcome: 'complete' }),
      read: () => store.read(id, '-1', 1),
      follow: () => store.follow(id, '-1', () => {}),
      head: () => store.head(id),
    };
    await expect(attempts[s.do]()).rejects.toEqual(storeError('NOT_FOUND'));
    return;
  }
  switch (s.do) {
    case 'append': {
      const parts = s.sizes.map((length, i) => noise(length, seed * 8 + i + 1));
      const settled = await Promise.allSettled(parts.map((part) => store.append(id, part)));
      for (const one of settled) {
        if (model.end) expect(one).toMatchObject({ status: 'rejected', reason: storeError('CLOSED') });
        else expect(one.status).toBe('fulfilled');
      }
      if (!model.end) model.bytes = Buffer.concat([model.bytes, ...parts]);
      return;
    }
    case 'close': {
      const end: StreamEnd = s.aborted
        ? { outcome: 'aborted', error: { code: 'A', message: 'b' } }
        : { outcome: 'complete' };
      const last = noise(s.size, seed * 8);
      const stands = await store.close(id, end, last);
      if (!model.end) {
        model.end = end;
        model.bytes = Buffer.concat([model.bytes, last]);
      }
      expect(stands).toEqual(model.end);
      return;
    }
    case 'read': {
      const known = [...model.offsets.keys()];
      const from = known[s.from % known.length]!;
      const frame = await store.read(id, model.offsets.get(from)!, s.maxBytes);
      const to = from + frame.bytes.length;
      expect(frame.bytes.length).toBeLessThanOrEqual(s.maxBytes);
      if (from < model.bytes.length) expect(frame.bytes.length).toBeGreaterThan(0);
      expect(Buffer.compare(frame.bytes, model.bytes.subarray(from, to))).toBe(0);
      expect(frame.upToDate).toBe(to === model.bytes.length);
      expect(frame.end).toEqual(to === model.bytes.length ? model.end : undefined);
      // A position has one offset ('-1' is another name of the first).
      if (to > 0) {
        expect(frame.next).toBe(model.offsets.get(to) ?? frame.next);
        model.offsets.set(to, frame.next);
      }
      return;
    }
    case 'head': {
      const info = (await store.head(id))!;
      expect(info.end).toEqual(model.end);
      expect(info.tail).toBe(model.offsets.get(model.bytes.length || -1) ?? info.tail);
      if (model.bytes.length > 0) model.offsets.set(model.bytes.length, info.tail);
      return;
    }
    case 'follow': {
      const tail = await Tail.open(store, id);
      await tail.until((t) => t.bytes.length === model.bytes.length && (!model.end || t.end !== undefined));
      expect(Buffer.compare(tail.bytes, model.bytes)).toBe(0);
      expect(tail.end).toEqual(model.end);
      tail.stop();
    }
  }
}

export function describeModel(name: string, factory: StoreFactory): void {
  const { it, section } = suiteOf(vitest, factory);
  section(`${name}: any order of calls`, (s) => {
    it('behaves like a log in memory', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
          const ids = [newId(), newId(), newId()];
          const models = new Map<string, ModelStream>();
          for (const [i, one] of steps.entries()) await run(s.store, models, ids[one.on]!, one, i);
          for (const [id, model] of models) {
            const content = await readAll(s.store, id);
            expect(Buffer.compare(content.bytes, model.bytes)).toBe(0);
            expect(content.end).toEqual(model.end);
            await s.store.delete(id);
          }
        }),
        { numRuns: 30 },
      );
    });
  });
}
