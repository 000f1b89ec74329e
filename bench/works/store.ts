import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { bundled } from '../bundle.ts';
import { temporaryFolder } from '../peers/index.ts';
import type { Target, Work } from '../work.ts';

export interface StoreOptions {
  readonly name: string;
  /** Finished streams in the store. */
  readonly stored: number;
  /** Streams that a sweep deletes. */
  readonly expired: number;
  readonly targets: readonly Target[];
}

const run = promisify(execFile);
export const STORE = 'embedded store, disk';

/** Opens and sweeps an embedded store with many streams. */
export function storeAtRest({ name, stored, expired, targets }: StoreOptions): Work {
  let folder: ReturnType<typeof temporaryFolder> | undefined;
  const filled = async (): Promise<string> => {
    if (folder) return (await folder).path;
    folder = temporaryFolder();
    const { path } = await folder;
    await task('fill', path, stored);
    return path;
  };
  return {
    name,
    title: `a store with ${stored} finished streams: opening it, and sweeping ${expired} expired ones`,
    metrics: [
      { key: 'openMs', title: 'open ms', digits: 1 },
      { key: 'sweepMs', title: 'sweep ms', digits: 0 },
      { key: 'pauseMs', title: 'longest event-loop pause ms', digits: 1 },
    ],
    targets,
    async run() {
      const path = await filled();
      const { openMs } = await task('open', path, 0);
      const { sweepMs, pauseMs } = await task('sweep', path, expired);
      return { [STORE]: { values: { openMs, sweepMs, pauseMs } as Record<string, number> } };
    },
    async cleanUp() {
      await (await folder)?.remove();
    },
  };
}

interface TaskResult {
  readonly openMs: number;
  readonly sweepMs?: number;
  readonly pauseMs?: number;
}

async function task(name: 'fill' | 'open' | 'sweep', path: string, count: number): Promise<TaskResult> {
  const child = await bundled(new URL('./store-child.ts', import.meta.url));
  const { stdout } = await run(process.execPath, [child, name, path, String(count)]);
  return JSON.parse(stdout) as TaskResult;
}
