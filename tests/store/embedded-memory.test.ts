import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { embeddedStore } from '../../server/store/embedded/index.ts';

const MAPS = '/proc/self/maps';
const MB = 1_000_000;

let dataDir: string;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'durable-proxy-store-'));
});
afterAll(() => rm(dataDir, { recursive: true }));

it.skipIf(!existsSync(MAPS))('a file that grows is in memory once', async () => {
  const store = embeddedStore({ dataDir });
  await store.open();
  try {
    await store.create('s', { contentType: 'text/plain', ttlSeconds: 60, metadata: {} });
    for (let i = 0; i < 8; i += 1) {
      await store.append('s', Buffer.alloc(2 * MB));
      await store.read('s', '-1', MB);
    }
    const maps = readFileSync(MAPS, 'utf8').split('\n');
    expect(maps.filter((line) => line.endsWith(join(dataDir, 'streams.mdb')))).toHaveLength(1);
  } finally {
    await store.dispose();
  }
});
