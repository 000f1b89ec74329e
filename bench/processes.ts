import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { bundled } from './bundle.ts';

/** Seconds of CPU that a process used so far, all its threads, to the microsecond (Linux only). */
export function cpuSeconds(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.reduce((sum, thread) => sum + threadSeconds(pid, thread), 0);
}

function mainSeconds(pid: number): number {
  return threadSeconds(pid, String(pid));
}

function threadSeconds(pid: number, thread: string): number {
  const [used = '0'] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
  return Number(used) / 1e9;
}

/** Restricts a process with all its threads to some cores, such as `0` or `1-3` (Linux only). */
export function pin(pid: number, cores: string): void {
  execFileSync('taskset', ['-a', '-p', '-c', cores, String(pid)], { stdio: 'ignore' });
}

/** Returns the ids of a process and of all processes that it started. */
function withChildren(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  return [pid, ...children.flatMap((child) => withChildren(Number(child)))];
}

/** Resource usage of a process and those that it started, between two moments. */
export interface Usage {
  readonly cpuSeconds: number;
  /** Seconds of CPU of the main threads alone. */
  readonly mainSeconds: number;
  /** Resident memory at the first moment, and the maximum between the two. */
  readonly residentBytes: number;
  readonly peakBytes: number;
}

/** A program in a separate process, which prints a line when it is ready. */
export class ServerProcess {
  /** The first group of the pattern. */
  readonly url: string;
  /** The second group, if there is one: another server in the process. */
  readonly secondUrl: string | undefined;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, url: string, secondUrl: string | undefined) {
    this.#child = child;
    this.url = url;
    this.secondUrl = secondUrl;
  }

  /** @param url address of the program, if the line does not contain it. */
  static async start(
    command: string,
    args: readonly string[],
    ready: RegExp,
    env: NodeJS.ProcessEnv = {},
    url?: string,
  ): Promise<ServerProcess> {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    });
    // The process ends with the benchmark.
    const kill = () => child.kill();
    process.setMaxListeners(0).once('exit', kill);
    child.once('exit', () => process.off('exit', kill));
    for await (const line of createInterface({ input: child.stdout })) {
      const match = ready.exec(line);
      if (!match) continue;
      child.stdout.resume();
      return new ServerProcess(child, url ?? match[1] ?? '', match[2]);
    }
    throw new Error(`${command} ${args.join(' ')} ended before it was ready`);
  }

  /** Runs a TypeScript file that prints `listening <url>`, or two URLs. @param flags of Node. */
  static async node(
    file: string,
    args: readonly string[],
    env: NodeJS.ProcessEnv = {},
    flags: readonly string[] = [],
  ): Promise<ServerProcess> {
    const path = await bundled(new URL(file, import.meta.url));
    return ServerProcess.start(
      process.execPath,
      [...flags, path, ...args],
      /^listening (\S+)(?: (\S+))?$/,
      env,
    );
  }

  /**
   * Starts measuring its resources, and those of the processes that it has started.
   * @returns a function that returns the usage since then.
   */
  watch(): () => Usage {
    const pids = withChildren(this.#child.pid!);
    const sum = (of: (pid: number) => number) => pids.reduce((total, pid) => total + of(pid), 0);
    // Resets the peak to the current usage (proc(5), clear_refs).
    for (const pid of pids) writeFileSync(`/proc/${pid}/clear_refs`, '5');
    const residentBytes = sum((pid) => memory(pid, 'VmRSS'));
    const before = sum(cpuSeconds);
    const mainBefore = sum(mainSeconds);
    return () => ({
      cpuSeconds: sum(cpuSeconds) - before,
      mainSeconds: sum(mainSeconds) - mainBefore,
      residentBytes,
      peakBytes: sum((pid) => memory(pid, 'VmHWM')),
    });
  }

  /** Restricts it, and the processes that it has started, to some cores. */
  pin(cores: string): void {
    for (const pid of withChildren(this.#child.pid!)) pin(pid, cores);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await exited;
  }
}

function memory(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) * 1_024;
}
