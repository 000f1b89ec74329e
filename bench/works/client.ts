import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { bundled } from '../bundle.ts';
import { BENCH_SECRET } from '../read.ts';
import { inTurn, type Measured, type Target, type Work } from '../work.ts';
import type { ClientMeasured, ClientTask } from './client-read.ts';
import { openChromium, type Chromium } from './chromium.ts';

export interface ClientOptions {
  readonly name: string;
  readonly streams: number;
  /** Of each stream. */
  readonly chunks: number;
  readonly gapMs: number;
  readonly targets: readonly Target[];
}

const run = promisify(execFile);
const SUBJECTS = [
  'plain fetch, Node',
  'durableFetch, Node',
  'plain fetch, Chromium',
  'durableFetch, Chromium',
];
const CHUNK_BYTES = 120;

/** CPU cost of the client compared with a plain fetch of the upstream. */
export function clientBesideFetch({ name, streams, chunks, gapMs, targets }: ClientOptions): Work {
  let chromium: Promise<Chromium> | undefined;
  return {
    name,
    title: `client: ${streams} answers at once, ${chunks} chunks each, ${gapMs} ms apart`,
    metrics: [
      { key: 'cpu', title: 'client CPU ms', digits: 0 },
      { key: 'perChunk', title: 'µs/chunk', digits: 1 },
      { key: 'reads', title: 'reads', digits: 0 },
    ],
    targets,
    async run(bench) {
      const { url } = await bench.peer('durable-proxy, disk');
      const round: Record<string, Measured> = {};
      for (const subject of inTurn(SUBJECTS, bench.round)) {
        const proxyUrl = subject.startsWith('durable') ? url : undefined;
        const task = (count: number): ClientTask => ({
          proxyUrl,
          secret: BENCH_SECRET,
          upstreamUrl: `${bench.upstream}/?chunks=${count}&gap=${gapMs}&size=${CHUNK_BYTES}`,
          streams,
        });
        const tasks = [task(Math.ceil(chunks / 10)), task(chunks)] as const;
        try {
          const report = subject.endsWith('Node')
            ? await inNode(tasks)
            : await (await (chromium ??= openChromium(`${bench.upstream}/page`))).read(tasks);
          round[subject] = measured(report, streams * chunks);
        } catch (error) {
          round[subject] = { values: {}, fault: String(error) };
        }
      }
      return round;
    },
    cleanUp: async () => (await chromium)?.close(),
  };
}

function measured({ bytes, reads, cpuMs }: ClientMeasured, chunks: number): Measured {
  return {
    values: { cpu: cpuMs, perChunk: (cpuMs * 1_000) / chunks, reads },
    // Chunks differ in length by the digits of their number and time.
    fault: bytes > chunks * (CHUNK_BYTES - 20) ? undefined : `${bytes} bytes came`,
  };
}

async function inNode(tasks: readonly [ClientTask, ClientTask]): Promise<ClientMeasured> {
  const child = await bundled(new URL('./client-child.ts', import.meta.url));
  const { stdout } = await run(process.execPath, [child, JSON.stringify(tasks)]);
  return JSON.parse(stdout) as ClientMeasured;
}
