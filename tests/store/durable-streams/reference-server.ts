import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface ReferenceServer {
  readonly url: string;
  /** Stops it, and throws its bytes away. */
  stop(): Promise<void>;
}

/** The public reference server, in a process of its own, so that its sockets and its time are not ours. */
const PROGRAM = `
  import { DurableStreamTestServer } from '@durable-streams/server';
  const dataDir = process.argv[1];
  const server = new DurableStreamTestServer({ port: 0, ...(dataDir && { dataDir }) });
  console.log('listening ' + (await server.start()));
  process.stdin.on('end', () => process.exit()).resume();
`;

export async function startReferenceServer(mode: 'memory' | 'file'): Promise<ReferenceServer> {
  const dataDir = mode === 'file' ? await mkdtemp(join(tmpdir(), 'durable-streams-')) : '';
  const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM, dataDir], {
    cwd: import.meta.dirname,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const exited = once(child, 'exit');
  let url: string | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    url = /^listening (.+)$/.exec(line)?.[1];
    if (url) break;
  }
  child.stdout.resume();
  if (!url) throw new Error('the reference server did not start');
  return {
    url,
    async stop() {
      child.kill('SIGKILL');
      await exited;
      if (dataDir) await rm(dataDir, { recursive: true, force: true });
    },
  };
}
