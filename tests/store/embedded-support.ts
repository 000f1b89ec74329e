import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { bundleScript } from '../support/bundle-script.ts';

/** Returns the infinite content of a stream: any part of it can be computed from its id. */
export function contentOf(id: string, from: number, to: number): Buffer {
  const line = `${id} `;
  const lines = Buffer.from(line.repeat(Math.ceil((to - from) / line.length) + 1));
  return lines.subarray(from % line.length, (from % line.length) + to - from);
}

/** A process that runs `embedded-child.ts`. */
export class Child {
  readonly lines: string[] = [];
  readonly #process: ChildProcess;
  readonly #closed: Promise<unknown>;
  #onLine: (() => void) | undefined;

  /** @param wrapper command that runs the rest of its line, for example with a limit. */
  constructor(args: string[], wrapper: string[] = []) {
    const script = bundleScript('tests/store/embedded-child.ts');
    const command = [...wrapper, process.execPath, '--enable-source-maps', script, ...args];
    this.#process = spawn(command[0]!, command.slice(1), { stdio: ['pipe', 'pipe', 'ignore'] });
    const reader = createInterface({ input: this.#process.stdout! });
    reader.on('line', (line) => {
      this.lines.push(line);
      this.#onLine?.();
    });
    this.#closed = Promise.all([once(this.#process, 'close'), once(reader, 'close')]);
    this.#closed.then(
      () => this.#onLine?.(),
      () => this.#onLine?.(),
    );
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /**
   * Resolves when this many lines that begin with one of these words have arrived. Rejects if the process ends before.
   */
  async printed(words: string, count = 1): Promise<void> {
    const printed = (): number => words.split(' ').reduce((sum, word) => sum + this.all(word).length, 0);
    await new Promise<void>((resolve, reject) => {
      this.#onLine = () => {
        if (printed() >= count) resolve();
        else if (this.#process.exitCode !== null || this.#process.signalCode !== null) {
          reject(new Error(`ended without "${words}": ${this.lines.join('\n')}`));
        }
      };
      this.#onLine();
    });
  }

  /** Returns the rest of all lines that begin with `word`. */
  all(word: string): string[] {
    return this.lines
      .filter((line) => line.startsWith(`${word} `) || line === word)
      .map((line) => line.slice(word.length + 1));
  }

  /** Resolves when the process is dead and all its output was read. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#closed;
  }

  async end(): Promise<void> {
    this.#process.stdin!.end();
    await this.#closed;
  }
}
