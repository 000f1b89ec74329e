import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** A shell command that runs in a process group of its own. */
export interface Command {
  /** What it has written to stdout and stderr so far. */
  output(): string;
  /** Resolves when the command has written text that matches. Rejects if it exits before. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
  /** Resolves when the port of localhost accepts connections. Rejects if the command exits before. */
  listens(port: number): Promise<void>;
  /** Resolves with the exit code, or null if a signal ended the command. */
  readonly exited: Promise<number | null>;
  /** Sends a signal to the command and everything that it started: with SIGINT, as Ctrl+C in a terminal does. */
  signal(name: NodeJS.Signals): void;
  /** Kills the command and everything that it started. */
  stop(): Promise<void>;
}

export interface CommandOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Settings for npm: downloads are shared by all tests and by the machine's user, and nothing is asked or counted. */
const NPM = {
  npm_config_prefer_offline: 'true',
  npm_config_audit: 'false',
  npm_config_fund: 'false',
  npm_config_update_notifier: 'false',
};

/** The environment of a newcomer's shell: without what npm and the test runner set for the tests. */
function shellEnvironment(): NodeJS.ProcessEnv {
  const isOurs = (name: string): boolean =>
    /^(NODE_ENV|NODE_OPTIONS|TEST|DEV|PROD|MODE|SSR|BASE_URL|VITEST.*|VITE_.*|npm_(lifecycle|package)_.*|OPENAI_.*|JWT_SECRET|CHAT_KEY|PORT)$/.test(
      name,
    );
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !isOurs(name)));
}

/** Starts a script with bash, which ends at the first line that fails. */
export function startCommand(script: string, { cwd, env = {} }: CommandOptions): Command {
  const child = spawn('bash', ['-ec', script], {
    cwd,
    env: { ...shellEnvironment(), ...NPM, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      child.emit('output');
    });
  child.setMaxListeners(0);
  // `close` comes when all processes that share the output have ended.
  const exited = once(child, 'close').then(([code]) => code as number | null);
  let isOver = false;
  void exited.then(() => (isOver = true));
  const signal = (name: NodeJS.Signals): void => {
    try {
      process.kill(-child.pid!, name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  };
  const failed = (): Error => new Error(`The command ended: ${script}\n${output}`);
  return {
    output: () => output,
    exited,
    async printed(pattern) {
      for (;;) {
        const match = pattern.exec(output);
        if (match) return match;
        if (isOver) throw failed();
        await Promise.race([once(child, 'output'), exited]);
      }
    },
    async listens(port) {
      while (!(await accepts(port))) {
        if (isOver) throw failed();
        // A process does not notify other processes when it listens.
        await Promise.race([delay(50), exited]);
      }
    },
    signal,
    async stop() {
      signal('SIGKILL');
      await exited;
    },
  };
}

/**
 * Runs a script with bash and returns its output.
 * @throws if the exit code is not 0; the message contains the output
 */
export async function runCommand(script: string, options: CommandOptions): Promise<string> {
  const command = startCommand(script, options);
  const code = await command.exited;
  if (code !== 0) throw new Error(`Exit code ${code}: ${script}\n${command.output()}`);
  return command.output();
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect({ port, host: 'localhost', autoSelectFamily: true });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/**
 * Returns a free port for a program that cannot report its own. The system assigns ports from 32768 on to servers that
 * ask for any, so a port below is not taken by another test in the meantime.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const server = createServer().listen(port);
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

/** Creates a temporary folder outside of the repository, where no package is found by accident. */
export async function emptyFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'durable-proxy-newcomer-'));
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 3 }) };
}
