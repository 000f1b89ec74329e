import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { EntryPoint } from '../../scripts/entries.ts';
import { installConsumer, type Consumer } from './consumer.ts';

/** A function of each entry point. */
const FUNCTIONS: Readonly<Record<EntryPoint, string>> = {
  index: 'durableProxy',
  web: 'createDurableHandler',
  tokens: 'createServiceToken',
  embedded: 'embeddedStore',
  redis: 'redisStore',
  opentelemetry: 'openTelemetry',
  inspector: 'durableInspector',
  'durable-streams': 'durableStreamsStore',
  testing: 'describeByteStore',
  conformance: 'runProxyConformance',
  client: 'createDurableFetch',
  sessions: 'createSessionStore',
  transports: 'createDurableChatTransport',
  react: 'useDurableChat',
  'react/status': 'StreamStatus',
  'react/chat': 'useDurableChat',
  'react/query': 'useDurableFetch',
  'react/devtools': 'DurableDevtools',
};

/** Both forms of the declarations: `.d.ts` for an ES module, `.d.cts` for a CommonJS module. */
const PROGRAMS = ['program.mts', 'program.cts'] as const;

/** One import a line, in the order of FUNCTIONS. */
const PROGRAM = Object.entries(FUNCTIONS)
  .map(([entry, name]) => `import { ${name} } from 'durable-proxy${entry === 'index' ? '' : `/${entry}`}';`)
  .join('\n');

interface Location {
  readonly file: string;
  readonly start: { readonly line: number };
}

/** The language server that editors start. */
class LanguageServer {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #waiting = new Map<number, (body: unknown) => void>();
  #seq = 0;

  constructor(cwd: string) {
    const file = createRequire(import.meta.url).resolve('typescript/lib/tsserver.js');
    this.#process = spawn(process.execPath, [file, '--disableAutomaticTypingAcquisition'], { cwd });
    let output = '';
    // Each message is a line of JSON after its headers.
    this.#process.stdout.setEncoding('utf8').on('data', (text: string) => {
      const lines = (output + text).split('\n');
      output = lines.pop()!;
      for (const line of lines.filter((each) => each.startsWith('{'))) this.#receive(line);
    });
  }

  #receive(line: string): void {
    const message = JSON.parse(line) as { type: string; request_seq: number; body: unknown };
    if (message.type === 'response') this.#waiting.get(message.request_seq)?.(message.body);
  }

  send(command: string, args: object): number {
    const seq = ++this.#seq;
    this.#process.stdin.write(`${JSON.stringify({ seq, type: 'request', command, arguments: args })}\n`);
    return seq;
  }

  ask<T>(command: string, args: object): Promise<T> {
    return new Promise((resolve) => {
      this.#waiting.set(this.send(command, args), resolve as (body: unknown) => void);
    });
  }

  stop(): void {
    this.#process.kill();
  }
}

describe('"go to definition" with the packed package', () => {
  let consumer: Consumer;
  let server: LanguageServer | undefined;

  beforeAll(async () => {
    consumer = await installConsumer(inject('tarball'));
    const compilerOptions = {
      module: 'nodenext',
      target: 'es2022',
      jsx: 'react-jsx',
      strict: true,
      types: [],
    };
    await writeFile(
      join(consumer.folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, files: PROGRAMS }),
    );
    server = new LanguageServer(consumer.folder);
    for (const program of PROGRAMS) {
      const file = join(consumer.folder, program);
      await writeFile(file, PROGRAM);
      server.send('open', { file });
    }
  });
  afterAll(async () => {
    server?.stop();
    await consumer?.remove();
  });

  for (const program of PROGRAMS) {
    for (const [index, [entry, name]] of Object.entries(FUNCTIONS).entries()) {
      it(`opens the source of ${name} from ${entry} (${program})`, async ({ skip }) => {
        if (consumer.unreachable !== undefined) skip('the package could not be installed: no network?');
        const [definition] = await server!.ask<Location[]>('definition', {
          file: join(consumer.folder, program),
          line: index + 1,
          offset: 'import { '.length + 1,
        });
        const { file, start } = definition!;
        expect(file).toMatch(/\/node_modules\/durable-proxy\/(?!dist\/).*(?<!\.d)\.tsx?$/);
        const lines = (await readFile(file, 'utf8')).split('\n');
        expect(lines[start.line - 1]).toMatch(new RegExp(`^export (async )?function ${name}\\b`));
      });
    }
  }
});
