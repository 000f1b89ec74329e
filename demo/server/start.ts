import { fork, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';

/** Environment and, once it listens, address of a process. */
interface Supervised {
  readonly file: string;
  /** Returns the environment for a start, given the first message of the previous one. */
  readonly env: (last: Record<string, string> | undefined) => NodeJS.ProcessEnv;
  readonly onListening?: (message: Record<string, string>) => void;
}

const children = new Set<ChildProcess>();

/** Runs a process, and runs it again at the same address when it is killed, as a process manager does. */
function supervise(program: Supervised, last?: Record<string, string>): void {
  const child = fork(fileURLToPath(new URL(program.file, import.meta.url)), {
    env: { ...process.env, ...program.env(last) },
  });
  children.add(child);
  let known = last;
  child.on('message', (message) => {
    known = message as Record<string, string>;
    if (last === undefined) program.onListening?.(known);
  });
  child.once('exit', (code, signal) => {
    children.delete(child);
    if (signal === 'SIGKILL') return supervise(program, known);
    process.exitCode ||= code ?? 1;
    for (const other of children) other.kill('SIGTERM');
  });
}

const agentKey = randomBytes(32).toString('base64url');
const addressOf = (url: string): string => new URL(url).port;

supervise({
  file: './agent.js',
  env: (last) => ({ AGENT_KEY: agentKey, ...(last?.['url'] && { AGENT_PORT: addressOf(last['url']) }) }),
  onListening: ({ url }) => {
    supervise({
      file: './main.js',
      env: (last) => ({
        AGENT_URL: url,
        AGENT_KEY: agentKey,
        ...(last?.['port'] && { PORT: last['port'] }),
      }),
    });
  },
});

// A terminal sends SIGINT to all processes of the group, SIGTERM comes to this one only.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => {
  for (const child of children) child.kill('SIGTERM');
});
