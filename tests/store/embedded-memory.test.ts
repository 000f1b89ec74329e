import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { embeddedStore } from '../../server/store/embedded/index.ts';
import { temporaryFolder } from '../support/proxy.ts';
import { init, newId } from '../../server/testing/byte-store/support.ts';

const MAPS = '/proc/self/maps';
const MB = 1_000_000;

it.skipIf(!existsSync(MAPS))('maps a growing file into memory once', async () => {
  const folder = await temporaryFolder();
  const store = embeddedStore({ dataDir: folder.path });
  await store.open();
  try {
    const id = newId();
    await store.create(id, init());
    for (let i = 0; i < 8; i += 1) {
      await store.append(id, Buffer.alloc(2 * MB));
      await store.read(id, '-1', MB);
    }
    const maps = readFileSync(MAPS, 'utf8').split('\n');
    expect(maps.filter((line) => line.endsWith(join(folder.path, 'streams.mdb')))).toHaveLength(1);
  } finally {
    await store.dispose();
    await folder.remove();
  }
});
