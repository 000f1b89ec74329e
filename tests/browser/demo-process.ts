import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { inject } from 'vitest';

/** What the processes print when they listen. start.js passes both lines on. */
const AGENT_LINE = /^agent: http:\/\/127\.0\.0\.1:(\d+)/;
const DEMO_LINE = /^durable-proxy demo: http:\/\/localhost:(\d+)/;

/** The demo in a process of its own, that can be killed and started again on the same port and data. */
export interface DemoProcess {
  readonly url: string;
  /** Kills the server with SIGKILL. Resolves when it has exited. */
  kill(): Promise<void>;
  /** Kills the agent, the process that calls the model. Resolves when it has exited. */
  killAgent(): Promise<void>;
  /** Starts the agent again at the same port, without its runs. */
  restartAgent(): Promise<void>;
  /** Starts the server again at the same address. */
  restart(): Promise<void>;
  /** Kills it and removes its data. */
  dispose(): Promise<void>;
}

/** @param script `start.js` restarts the server when it is killed, as `npm start` does. */
export async function startDemo(
  env: Record<string, string>,
  script: 'main.js' | 'start.js' = 'main.js',
): Promise<DemoProcess> {
  const dataDir = await mkdtemp(join(tmpdir(), 'durable-proxy-demo-'));
  const agentKey = randomUUID();
  // start.js starts an agent of its own.
  let agent =
    script === 'start.js' ? undefined : await spawnDemo('agent.js', { ...env, AGENT_KEY: agentKey });
  const all = {
    ...env,
    DATA_DIR: dataDir,
    ...(agent && { AGENT_URL: `http://127.0.0.1:${agent.port}`, AGENT_KEY: agentKey }),
  };
  let { child, port } = await spawnDemo(script, { ...all, PORT: '0' });

  const end = async (process: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> => {
    if (process?.exitCode !== null || process.signalCode !== null) return;
    const exited = once(process, 'exit');
    process.kill(signal);
    await exited;
  };
  // start.js ends the processes that it started, which a SIGKILL would not let it do.
  const kill = () => end(child, script === 'start.js' ? 'SIGTERM' : 'SIGKILL');
  return {
    url: `http://localhost:${port}`,
    kill,
    killAgent: () => end(agent?.child, 'SIGKILL'),
    async restartAgent() {
      agent = await spawnDemo('agent.js', { ...env, AGENT_KEY: agentKey, AGENT_PORT: String(agent?.port) });
    },
    async restart() {
      ({ child, port } = await spawnDemo(script, { ...all, PORT: String(port) }));
    },
    async dispose() {
      await Promise.all([kill(), end(agent?.child, 'SIGKILL')]);
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
    const port = (script === 'agent.js' ? AGENT_LINE : DEMO_LINE).exec(line)?.[1];
    if (port !== undefined) return { child, port: Number(port) };
  }
  throw new Error(`the demo ended before it listened, with code ${child.exitCode}`);
}
