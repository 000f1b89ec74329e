/** Runs in a process of its own for the tests of crashes, locks and full disks. Reports in lines on stdout. */
import { writeSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { embeddedStore } from '../../server/store/embedded/index.ts';
import { StoreError, type Frame, type StreamStore } from '../../server/store/types.ts';
import { contentOf } from './embedded-support.ts';

const [mode = '', dataDir = '', durability = 'disk', round = '0'] = process.argv.slice(2);

const durabilityOf = (word: string): 'disk' | 'process' => (word === 'process' ? 'process' : 'disk');

/** Writes synchronously: the line has left this process when the call returns, so it survives a kill. */
function say(...words: unknown[]): void {
  const line = Buffer.from(`${words.join(' ')}\n`);
  for (let done = 0; done < line.length;) {
    try {
      done += writeSync(1, line, done);
    } catch (error) {
      // The test reads slowly.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}
process.on('unhandledRejection', (error) => say('unhandled', error));

const init = (metadata: Record<string, string> = {}) => ({
  contentType: 'text/plain',
  ttlSeconds: 3600,
  metadata,
});

/** Writes to 20 streams at once, and reports every step before and after it, until the process is killed. */
async function load(store: StreamStore): Promise<void> {
  await store.create('key-registry', init({ kind: 'key' }));
  let serial = 0;
  const write = async (): Promise<void> => {
    serial += 1;
    const id = `r${round}-s${serial}`;
    await store.create(id, init());
    let size = 0;
    const appends = Math.random() * 40;
    for (;;) {
      const length = Math.random() < 0.05 ? 70_000 : 1 + Math.floor(Math.random() ** 4 * 5000);
      const bytes = contentOf(id, size, size + length);
      size += length;
      if (Math.random() * 40 > appends) {
        say('closing', id, size);
        await store.close(id, { outcome: 'complete' }, bytes);
        say('closed', id, size);
        break;
      }
      say('sent', id, size);
      await store.append(id, bytes);
      say('acknowledged', id, size);
    }
    if (Math.random() < 0.2) {
      say('deleting', id, 0);
      await store.delete(id);
      say('deleted', id, 0);
    }
  };
  const forever = async (): Promise<never> => {
    for (;;) await write();
  };
  await Promise.all(Array.from({ length: 20 }, forever));
}

/** Fills the disk of `dataDir`, frees space in two ways, and reports the results. */
async function fill(store: StreamStore): Promise<void> {
  const ballast = join(dataDir, 'ballast');
  await writeFile(ballast, Buffer.alloc(8_000_000));
  const sizes = new Map<string, number>();
  const append = async (id: string): Promise<void> => {
    const size = sizes.get(id) ?? 0;
    sizes.set(id, size + 700);
    try {
      await store.append(id, contentOf(id, size, size + 700));
    } catch (error) {
      sizes.set(id, Math.min(size, sizes.get(id) ?? 0));
      throw error;
    }
  };
  const fillUp = async (id: string, atOnce: number): Promise<unknown> => {
    for (;;) {
      const settled = await Promise.allSettled(Array.from({ length: atOnce }, () => append(id)));
      for (const one of settled) if (one.status === 'rejected') return one.reason;
    }
  };
  const appendWhenThereIsRoom = async (id: string): Promise<void> => {
    for (;;) {
      const failure: unknown = await append(id).catch((error: unknown) => error);
      if (!failure) return;
      await delay(50);
    }
  };
  // Appends after lost bytes fail too, even if there is space for them.
  await store.create('order', init());
  const order = [store.append('order', Buffer.alloc(40_000_000))];
  for (let i = 0; i < 3; i += 1) await new Promise((resolve) => setImmediate(resolve));
  order.push(store.append('order', Buffer.from('behind')), store.append('order', Buffer.from('it')));
  for (const one of await Promise.allSettled(order)) say('order', one.status);
  await store.append('order', Buffer.from('later'));
  say('order', Buffer.from((await store.read('order', '-1', 100)).bytes));

  for (const id of ['victim', 'filled', 'waiting']) await store.create(id, init());
  await append('waiting');
  for (let i = 0; i < 9000; i += 100) await Promise.all(Array.from({ length: 100 }, () => append('victim')));
  await fillUp('filled', 50);
  const failure = await fillUp('filled', 1);
  if (failure instanceof StoreError) say('failure', failure.code, failure.message);
  // Later appends fail too, and reads continue.
  const more = await Promise.allSettled([append('filled'), append('waiting')]);
  for (const one of more)
    say('then', one.status === 'rejected' ? (one.reason as StoreError).code : one.status);
  const { bytes } = await readAll(store, 'filled');
  if (!bytes.equals(contentOf('filled', 0, bytes.length))) say('unreadable');
  await store.create('made-when-full', init());
  // Deleted streams are swept, which frees space within the file.
  say('deleted', await store.delete('victim'));
  await appendWhenThereIsRoom('waiting');
  await appendWhenThereIsRoom('made-when-full');
  await fillUp('filled', 1);
  await store.dispose();

  // A store can open on a full disk.
  const again = embeddedStore({ dataDir, durability: durabilityOf(durability) });
  await again.open();
  for (const id of ['filled', 'waiting', 'made-when-full']) {
    const { bytes, end } = await readAll(again, id);
    const wanted = contentOf(id, 0, sizes.get(id) ?? 0);
    say('reopened', id, bytes.equals(wanted) ? 'whole' : `${bytes.length} of ${wanted.length}`, end?.outcome);
  }
  say('victim', await again.head('victim'));
  await rm(ballast);
  await again.create('new', init());
  await again.close('new', { outcome: 'complete' }, contentOf('new', 0, 5000));
  say('room', (await readAll(again, 'new')).bytes.equals(contentOf('new', 0, 5000)));
  await again.dispose();
  say('done');
}

async function readAll(store: StreamStore, id: string): Promise<Frame & { bytes: Buffer }> {
  const parts: Uint8Array[] = [];
  for (let offset = '-1'; ;) {
    const frame = await store.read(id, offset, 100_000);
    parts.push(frame.bytes);
    offset = frame.next;
    if (frame.upToDate) return { ...frame, bytes: Buffer.concat(parts) };
  }
}

const store = embeddedStore({ dataDir, durability: durabilityOf(durability) });
try {
  await store.open();
  say('open');
  if (mode === 'load') await load(store);
  if (mode === 'fill') await fill(store);
  // Otherwise the process holds its lock as long as its stdin is open.
  if (mode === 'hold') process.stdin.resume();
} catch (error) {
  say('error', (error as StoreError).code, (error as Error).message);
  process.exit(1);
}
