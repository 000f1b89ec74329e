import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface ReferenceServer {
  readonly url: string;
  /** Kills the server and starts another on the same data, on another port. */
  restart(): Promise<void>;
  /** Stops the server and removes its data. */
  stop(): Promise<void>;
}

export interface ReferenceServerOptions {
  readonly mode: 'memory' | 'file';
  /**
   * Maximum number of files that the file mode keeps open. Its default, 100, cannot be configured; appends to further
   * streams are answered 404 after their bytes were written. Default here: high enough to have no effect.
   */
  readonly fileHandles?: number;
}

/** A file system in memory if there is one: the flush speed of the disk is not tested. */
const SCRATCH = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** The public reference server, in a process of its own with its own sockets and event loop. */
const PROGRAM = `
  import { DurableStreamTestServer, FileBackedStreamStore } from '@durable-streams/server';
  const [dataDir, fileHandles] = process.argv.slice(1);
  const server = new DurableStreamTestServer({ port: 0 });
  if (dataDir) server.store = new FileBackedStreamStore({ dataDir, maxFileHandles: Number(fileHandles) });
  console.log('listening ' + (await server.start()));
  process.stdin.on('end', () => process.exit()).resume();
`;

export async function startReferenceServer({
  mode,
  fileHandles = 10_000,
}: ReferenceServerOptions): Promise<ReferenceServer> {
  const dataDir = mode === 'file' ? await mkdtemp(join(SCRATCH, 'durable-streams-')) : '';
  let running = await run(dataDir, fileHandles);
  return {
    get url() {
      return running.url;
    },
    async restart() {
      await running.kill();
      running = await run(dataDir, fileHandles);
    },
    async stop() {
      await running.kill();
      if (dataDir) await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function run(
  dataDir: string,
  fileHandles: number,
): Promise<{ url: string; kill: () => Promise<void> }> {
  const child = spawn(
    process.execPath,
    ['--input-type=module', '-e', PROGRAM, dataDir, String(fileHandles)],
    {
      cwd: import.meta.dirname,
      stdio: ['pipe', 'pipe', 'ignore'],
    },
  );
  const exited = once(child, 'exit');
  let url: string | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    url = /^listening (.+)$/.exec(line)?.[1];
    if (url) break;
  }
  if (!url) throw new Error('the reference server did not start');
  child.stdout.resume();
  return {
    url,
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
