import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { embeddedStore } from '../../server/store/embedded/index.ts';
import type { StreamStore } from '../../server/store/types.ts';
import { readAll, textOf } from '../../server/testing/byte-store/support.ts';
import { Child, contentOf } from './embedded-support.ts';

/** Number of rounds. `CRASH_ROUNDS=100` runs the long form. */
const ROUNDS = Number(process.env['CRASH_ROUNDS'] ?? 4);

/** Last reported state of one stream, from a process that was killed. */
interface Reported {
  sent: number;
  acknowledged: number;
  closing: number | undefined;
  isClosed: boolean;
  isDeleting: boolean;
  isDeleted: boolean;
}

function reportedBy(child: Child): Map<string, Reported> {
  const streams = new Map<string, Reported>();
  for (const line of child.lines) {
    const [word, id, size] = line.split(' ') as [string, string, string];
    const fresh = {
      sent: 0,
      acknowledged: 0,
      closing: undefined,
      isClosed: false,
      isDeleting: false,
      isDeleted: false,
    };
    const printed: Reported = streams.get(id) ?? fresh;
    if (id) streams.set(id, printed);
    if (word === 'sent' || word === 'closing') printed.sent = Number(size);
    if (word === 'acknowledged' || word === 'closed') printed.acknowledged = Number(size);
    if (word === 'closing') printed.closing = Number(size);
    if (word === 'closed') printed.isClosed = true;
    if (word === 'deleting') printed.isDeleting = true;
    if (word === 'deleted') printed.isDeleted = true;
  }
  return streams;
}

async function verify(store: StreamStore, id: string, printed: Reported): Promise<void> {
  const info = await store.head(id);
  if (printed.isDeleted) return expect(info, `${id} was deleted`).toBeUndefined();
  // It was being deleted, or none of it had been acknowledged: both results are correct.
  if (!info && (printed.isDeleting || printed.acknowledged === 0)) return;
  const { bytes, end, next } = await readAll(store, id);
  const size = bytes.length;
  expect(size, `${id}: what was acknowledged is there`).toBeGreaterThanOrEqual(printed.acknowledged);
  expect(size, `${id}: nothing is there that was not sent`).toBeLessThanOrEqual(printed.sent);
  expect(bytes.equals(contentOf(id, 0, size)), `${id}: what is there is a prefix of what was sent`).toBe(
    true,
  );
  expect(info?.tail).toBe(next);
  if (printed.isClosed) expect(end).toEqual({ outcome: 'complete' });
  else if (end?.outcome === 'complete') expect(size, 'complete only when whole').toBe(printed.closing);
  else expect(end).toMatchObject({ outcome: 'interrupted', error: { code: 'INTERRUPTED' } });
}

describe.each(['disk', 'process'] as const)("kill -9 under load, durability '%s'", (durability) => {
  it(
    `loses no acknowledged write, ${ROUNDS} times`,
    async () => {
      const dataDir = await mkdtemp(join(tmpdir(), 'durable-proxy-crash-'));
      const all = new Map<string, Reported>();
      let registry = '';
      for (let round = 0; round < ROUNDS; round += 1) {
        const child = new Child(['load', dataDir, durability, String(round)]);
        await child.printed('acknowledged', 1 + Math.floor(Math.random() * 600));
        await child.kill();
        const streams = reportedBy(child);
        const store = embeddedStore({ dataDir, durability });
        await store.open();
        for (const [id, printed] of streams) {
          await verify(store, id, printed);
          all.set(id, printed);
        }
        // Offsets continue after the last byte.
        const before = (await store.head('key-registry'))!;
        expect(before.end).toBeUndefined();
        await store.append('key-registry', Buffer.from(`${round} `));
        registry += `${round} `;
        expect(await textOf(store, 'key-registry', before.tail)).toBe(`${round} `);
        expect(await textOf(store, 'key-registry')).toBe(registry);
        // Later rounds must not change the streams of earlier ones.
        if (round === ROUNDS - 1) for (const [id, printed] of all) await verify(store, id, printed);
        await store.dispose();
      }
      expect(all.size).toBeGreaterThan(ROUNDS);
      await rm(dataDir, { recursive: true });
    },
    ROUNDS * 20_000,
  );
});
