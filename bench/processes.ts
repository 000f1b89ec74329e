import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { bundled } from './bundle.ts';

/** Seconds of CPU that a process used so far, all its threads, to the microsecond (Linux only). */
export function cpuSeconds(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.reduce((sum, thread) => {
    const [used = '0'] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
    return sum + Number(used) / 1e9;
  }, 0);
}

/** Resource usage of a process between two moments. */
export interface Usage {
  readonly cpuSeconds: number;
  /** Resident memory at the first moment, and the maximum between the two. */
  readonly residentBytes: number;
  readonly peakBytes: number;
}

/** A program in a separate process, which prints a line when it is ready. */
export class ServerProcess {
  /** The first group of the pattern. */
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
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
      return new ServerProcess(child, url ?? match[1] ?? '');
    }
    throw new Error(`${command} ${args.join(' ')} ended before it was ready`);
  }

  /** Runs a TypeScript file that prints `listening <url>`. @param flags of Node. */
  static async node(
    file: string,
    args: readonly string[],
    env: NodeJS.ProcessEnv = {},
    flags: readonly string[] = [],
  ): Promise<ServerProcess> {
    const path = await bundled(new URL(file, import.meta.url));
    return ServerProcess.start(process.execPath, [...flags, path, ...args], /^listening (.+)$/, env);
  }

  /**
   * Starts measuring its resources.
   * @returns a function that returns the usage since then.
   */
  watch(): () => Usage {
    const pid = this.#child.pid!;
    // Resets the peak to the current usage (proc(5), clear_refs).
    writeFileSync(`/proc/${pid}/clear_refs`, '5');
    const residentBytes = memory(pid, 'VmRSS');
    const before = cpuSeconds(pid);
    return () => ({
      cpuSeconds: cpuSeconds(pid) - before,
      residentBytes,
      peakBytes: memory(pid, 'VmHWM'),
    });
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
