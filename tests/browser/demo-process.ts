import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { inject } from 'vitest';

/** The demo in a process of its own, that can be killed and started again on the same port and data. */
export interface DemoProcess {
  readonly url: string;
  /** `kill -9`, and resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts it again where it was. */
  restart(): Promise<void>;
  /** Kills it and removes its data. */
  dispose(): Promise<void>;
}

/** @param script `start.js` is the server with what brings it up again when it is killed, as `npm start` has it. */
export async function startDemo(
  env: Record<string, string>,
  script: 'main.js' | 'start.js' = 'main.js',
): Promise<DemoProcess> {
  const dataDir = await mkdtemp(join(tmpdir(), 'durable-proxy-demo-'));
  let { child, port } = await spawnDemo(script, { ...env, DATA_DIR: dataDir, PORT: '0' });

  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  };
  return {
    url: `http://localhost:${port}`,
    kill,
    async restart() {
      ({ child, port } = await spawnDemo(script, { ...env, DATA_DIR: dataDir, PORT: String(port) }));
    },
    async dispose() {
      await kill();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function spawnDemo(
  script: string,
  env: Record<string, string>,
): Promise<{ child: ChildProcess; port: number }> {
  const folder = inject('demoFolder');
  if (folder === undefined) throw new Error('the demo was not built');
  const child = spawn(process.execPath, [join(folder, 'server', script)], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const port = /http:\/\/localhost:(\d+)/.exec(line)?.[1];
    if (port !== undefined) return { child, port: Number(port) };
  }
  throw new Error(`the demo ended before it listened, with code ${child.exitCode}`);
}
