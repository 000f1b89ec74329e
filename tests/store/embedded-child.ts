/** What the tests of crashes, locks and full disks run in a process of its own. Talks in lines on stdout. */
import { writeSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { embeddedStore } from '../../server/store/embedded/index.ts';
import { StoreError, type Frame, type StreamStore } from '../../server/store/types.ts';
import { contentOf } from './embedded-support.ts';

const [mode = '', dataDir = '', durability = 'disk', round = '0'] = process.argv.slice(2);

/** Has left this process when it returns, so that it outlives it. */
function say(...words: unknown[]): void {
  const line = Buffer.from(`${words.join(' ')}\n`);
  for (let done = 0; done < line.length; ) {
    try {
      done += writeSync(1, line, done);
    } catch (error) {
      // The test is slow to read.
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

/** Writes to 20 streams at once, and tells of every step before it and after it, until it is killed. */
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

/** Fills the disk that `dataDir` is on, makes room, and says what it met with. */
async function fill(store: StreamStore): Promise<void> {
  const ballast = join(dataDir, 'ballast');
  await writeFile(ballast, Buffer.alloc(3_000_000));
  let size = 0;
  const append = async (): Promise<void> => {
    await store.append('filled', contentOf('filled', size, size + 5000));
    size += 5000;
  };
  await store.create('filled', init());
  await store.create('waiting', init());
  await store.append('waiting', Buffer.from('before '));
  let failure: unknown;
  while (!failure) await append().catch((error: unknown) => (failure = error));
  if (failure instanceof StoreError) say('failure', failure.code, failure.message);
  // Several at once fail as one, later ones too; reads go on.
  const more = await Promise.allSettled([append(), append(), store.close('filled', { outcome: 'complete' })]);
  for (const one of more)
    say('then', one.status === 'rejected' ? (one.reason as StoreError).code : one.status);
  if (!(await readAll(store, 'filled')).bytes.equals(contentOf('filled', 0, size))) say('unreadable');
  await store.create('made-when-full', init());
  await rm(ballast);
  await append();
  await store.append('waiting', Buffer.from('after'));
  await store.append('made-when-full', Buffer.from('room'));
  await store.close('filled', { outcome: 'complete' });
  await store.dispose();

  const again = embeddedStore({ dataDir });
  await again.open();
  const read = async (id: string) => again.read(id, '-1', 10_000_000);
  const { bytes, end } = await readAll(again, 'filled');
  say(
    'filled',
    bytes.equals(contentOf('filled', 0, size)) ? 'whole' : `${bytes.length} of ${size}`,
    end?.outcome,
  );
  say('waiting', Buffer.from((await read('waiting')).bytes));
  say('made-when-full', Buffer.from((await read('made-when-full')).bytes));
  await again.dispose();
  say('reopened');
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

const store = embeddedStore({ dataDir, durability: durability === 'process' ? 'process' : 'disk' });
try {
  await store.open();
  say('open');
  if (mode === 'load') await load(store);
  if (mode === 'fill') await fill(store);
  // Otherwise it holds its lock for as long as somebody keeps its stdin open.
  if (mode === 'hold') process.stdin.resume();
} catch (error) {
  say('error', (error as StoreError).code, (error as Error).message);
  process.exit(1);
}
