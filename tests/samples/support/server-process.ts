import { fork } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleServer, type BundleOptions } from './bundle.ts';
import { sampleFolder } from './load.ts';

const PRELOAD = join(import.meta.dirname, 'report-port.mjs');

/** A sample's server in a process of its own. */
export interface SampleProcess {
  readonly port: number;
  readonly pid: number;
  /** What it has written to stdout and stderr so far. */
  readonly output: () => string;
  /** The exit code, or undefined while it runs. */
  readonly exitCode: () => number | undefined;
  /** Sends a signal and resolves with the exit code, or null if the signal ended the process. */
  kill(signal: NodeJS.Signals): Promise<number | null>;
  /** Ends the process and removes its folder. */
  dispose(): Promise<void>;
}

/**
 * Starts a sample that listens on a port. A preloaded module replaces the port by a free one and reports it.
 * @throws if the process exits before it listens; the message contains its output
 */
export async function startSample(
  sample: string,
  env: Readonly<Record<string, string>>,
  options: BundleOptions = {},
): Promise<SampleProcess> {
  const folder = await sampleFolder();
  const script = join(folder, 'server.mjs');
  await bundleServer(sample, script, options);

  const child = fork(script, {
    cwd: folder,
    env: { PATH: process.env['PATH'], ...env },
    execArgv: ['--import', PRELOAD],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let output = '';
  for (const stream of [child.stdout!, child.stderr!])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const kill = async (signal: NodeJS.Signals): Promise<number | null> => {
    child.kill(signal);
    const [code] = await exited;
    return code;
  };
  const dispose = async (): Promise<void> => {
    await kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  };
  const port = await Promise.race([
    once(child, 'message').then(([message]) => (message as { port: number }).port),
    exited.then(([code]) => code),
  ]);
  if (child.exitCode !== null) {
    await dispose();
    throw new Error(`${sample} exited with code ${port} before it listened:\n${output}`);
  }
  return {
    port: port!,
    pid: child.pid!,
    output: () => output,
    exitCode: () => child.exitCode ?? undefined,
    kill,
    dispose,
  };
}
