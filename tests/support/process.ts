import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { bundleScript } from './bundle-script.ts';
import { SECRET } from './proxy.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface ProxyProcess {
  readonly url: string;
  readonly base: string;
  readonly pid: number;
  /** Sends a signal. Resolves with the exit code (null after SIGKILL) when the process has exited. */
  kill(signal: NodeJS.Signals): Promise<number | null>;
}

export interface ProxyProcessOptions {
  readonly dataDir?: string;
  readonly redis?: string;
  readonly durableStreamsUrl?: string;
  /** More arguments of the command line. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** The command line's server in a process of its own, on a free port. */
export async function startProxyProcess(options: ProxyProcessOptions): Promise<ProxyProcess> {
  const { dataDir, redis, durableStreamsUrl, args = [], env } = options;
  const child = spawn(
    process.execPath,
    [
      ...['--enable-source-maps', bundleScript('server/bin.ts')],
      ...['--port', '0', '--host', '127.0.0.1'],
      ...['--allow', 'http://127.0.0.1:*/**'],
      ...(dataDir === undefined ? [] : ['--data-dir', dataDir]),
      ...(redis === undefined ? [] : ['--redis', redis]),
      ...(durableStreamsUrl === undefined ? [] : ['--durable-streams-url', durableStreamsUrl]),
      ...args,
    ],
    { cwd: ROOT, env: { ...process.env, JWT_SECRET: SECRET, ...env }, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const url = await new Promise<string>((resolve, reject) => {
    void exited.then(([code]) => reject(new Error(`the proxy exited with ${code} before it listened`)));
    createInterface(child.stdout).on('line', (line) => {
      const entry = JSON.parse(line) as { msg?: string; url?: string };
      if (entry.msg === 'listening' && entry.url) resolve(entry.url);
    });
  });
  return {
    url,
    base: `${url}/v1/proxy`,
    pid: child.pid!,
    kill: async (signal) => {
      child.kill(signal);
      const [code] = await exited;
      return code;
    },
  };
}
