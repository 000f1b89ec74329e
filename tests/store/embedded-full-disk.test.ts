import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Child } from './embedded-support.ts';

/** Mounts a small file system that only this command sees, and that is removed with it. */
const smallDisk = (directory: string): string[] => [
  'unshare',
  '--mount',
  '--map-root-user',
  'sh',
  '-c',
  'mount -t tmpfs -o size=28m tmpfs "$0" && exec "$@"',
  directory,
];

const canMount =
  spawnSync('unshare', ['--mount', '--map-root-user', 'sh', '-c', 'mount -t tmpfs tmpfs /mnt']).status === 0;
const title = canMount ? 'a full disk' : 'a full disk (needs a machine that lets unshare(1) mount a tmpfs)';

describe.skipIf(!canMount)(title, () => {
  it.each(['disk', 'process'] as const)(
    'is reported as an error, and loses no stored bytes (durability %s)',
    async (durability) => {
      const dataDir = await mkdtemp(join(tmpdir(), 'durable-proxy-full-'));
      const child = new Child(['fill', dataDir, durability], smallDisk(dataDir));
      await child.printed('done');
      await child.end();
      expect(child.all('unhandled')).toEqual([]);
      expect(child.all('order')).toEqual(['rejected', 'rejected', 'rejected', 'later']);
      const [failure = ''] = child.all('failure');
      expect(failure).toMatch(/^UNAVAILABLE /);
      expect(failure).toContain(dataDir);
      expect(failure).toMatch(/full/);
      expect(child.all('then')).toEqual(['UNAVAILABLE', 'UNAVAILABLE']);
      expect(child.all('unreadable')).toEqual([]);
      expect(child.all('deleted')).toEqual(['true']);
      expect(child.all('reopened')).toEqual([
        'filled whole interrupted',
        'waiting whole interrupted',
        'made-when-full whole interrupted',
      ]);
      expect(child.all('victim')).toEqual(['']);
      expect(child.all('room')).toEqual(['true']);
      await rm(dataDir, { recursive: true });
    },
  );
});
