import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createClient } from 'redis';
import { commandPath } from '../../requirements.ts';

/** The two servers that speak the protocol and are started in the same way. */
export type RedisProgram = 'redis-server' | 'valkey-server';

/** A server process of the tests, on a free port, with its files in a temporary folder. */
export interface RedisServer {
  readonly port: number;
  readonly url: string;
  /** Sends the process a signal. */
  kill(signal: NodeJS.Signals): void;
  /** Runs one command on a connection of its own. */
  command(...words: string[]): Promise<unknown>;
  /** Kills it, and removes its folder. Idempotent. */
  stop(): Promise<void>;
}

const PID = /^pid (\d+)$/;
const READY = /Ready to accept connections|\+monitor master/;
const IN_USE = /Address already in use|Failed listening/;

/** Runs a server as long as its stdin is open, so that an aborted test run leaves none behind. */
const GUARD = '"$@" & echo "pid $!"; read -r _; kill -9 $! 2>/dev/null; wait $!; rm -rf "$FOLDER"';

/** @param options further options of the server, such as `{ maxmemory: '10mb' }`. */
export async function startRedis(
  options: Record<string, string> = {},
  program: RedisProgram = 'redis-server',
): Promise<RedisServer> {
  return start(program, options, []);
}

/** A sentinel that monitors one master, and decides alone. */
export async function startSentinel(name: string, master: RedisServer): Promise<RedisServer> {
  const monitor = [
    `sentinel monitor ${name} 127.0.0.1 ${master.port} 1`,
    `sentinel down-after-milliseconds ${name} 500`,
    `sentinel failover-timeout ${name} 2000`,
  ];
  return start('redis-server', {}, monitor);
}

/** Resolves once a condition holds that depends on another process. The test's timeout is the limit. */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** Returns a port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function start(
  program: RedisProgram,
  options: Record<string, string>,
  sentinel: string[],
): Promise<RedisServer> {
  for (;;) {
    const server = await startOn(program, await freePort(), options, sentinel);
    if (server) return server;
  }
}

/** Undefined if another process took the port first. */
async function startOn(
  program: RedisProgram,
  port: number,
  options: Record<string, string>,
  sentinel: string[],
): Promise<RedisServer | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'durable-proxy-redis-'));
  const config = join(folder, 'redis.conf');
  const settings = { port: `${port}`, bind: '127.0.0.1', dir: folder, 'protected-mode': 'no' };
  const persistence =
    sentinel.length > 0 ? {} : { save: '""', appendonly: 'no', 'repl-diskless-sync-delay': '0' };
  const lines = Object.entries({ ...settings, ...persistence, ...options }).map(
    ([key, value]) => `${key} ${value}`,
  );
  await writeFile(config, [...lines, ...sentinel, ''].join('\n'));
  const server = [commandPath(program), config, ...(sentinel.length > 0 ? ['--sentinel'] : [])];
  const child = spawn('sh', ['-c', GUARD, 'sh', ...server], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { ...process.env, FOLDER: folder },
  });
  const exited = once(child, 'exit');
  const stop = async (): Promise<void> => {
    child.stdin.destroy();
    await exited;
  };
  const said: string[] = [];
  let pid = 0;
  for await (const line of createInterface(child.stdout)) {
    said.push(line);
    pid ||= Number(PID.exec(line)?.[1] ?? 0);
    if (IN_USE.test(line)) break;
    if (!READY.test(line)) continue;
    child.stdout.resume();
    const url = `redis://127.0.0.1:${port}`;
    return {
      port,
      url,
      kill: (signal) => void process.kill(pid, signal),
      command: (...words) => commandOn(url, words),
      stop,
    };
  }
  await stop();
  if (said.some((line) => IN_USE.test(line))) return undefined;
  throw new Error(`${program} did not start:\n${said.join('\n')}`);
}

async function commandOn(url: string, words: string[]): Promise<unknown> {
  const client = await createClient({ url })
    .on('error', () => undefined)
    .connect();
  try {
    return await client.sendCommand(words);
  } finally {
    client.destroy();
  }
}
