import { writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { createRunner } from './bench.ts';
import { describeWork, machine } from './report.ts';
import type { WorkResult } from './work.ts';
import { allWorks } from './works/index.ts';

const HELP = `npm run bench -- [options]
  --rounds=<n>   rounds of each work (default 5, quick 1)
  --only=<work>  one work, or several with commas
  --quick        small sizes: shows that all of it runs
`;

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string' },
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (options.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const rounds = Number(options.rounds ?? (options.quick ? 1 : 5));
const works = allWorks(options.quick);
const only = options.only?.split(',') ?? works.map(({ name }) => name);
const unknown = only.filter((name) => !works.some((work) => work.name === name));
if (unknown.length > 0 || !(rounds >= 1)) {
  process.stderr.write(`${HELP}\nThe works are: ${works.map(({ name }) => name).join(', ')}\n`);
  process.exit(2);
}

const loadAtStart = loadavg()[0]!;
const results: WorkResult[] = [];
const runner = await createRunner({
  quick: options.quick,
  onRound: (work, round) => void process.stderr.write(`${work.name} ${round + 1}/${rounds}\n`),
});
try {
  for (const work of works) {
    if (!only.includes(work.name)) continue;
    const result = await runner.run(work, rounds);
    results.push(result);
    process.stdout.write(`${describeWork(result)}\n`);
  }
} finally {
  await runner.stop();
}
const where = machine(loadAtStart);
process.stdout.write(`${JSON.stringify(where)}\n`);
if (!options.quick && options.only === undefined) {
  const file = new URL('./results.json', import.meta.url);
  const figures = results.map(({ rounds: _, ...result }) => result);
  await writeFile(file, `${JSON.stringify({ machine: where, rounds, works: figures }, null, 2)}\n`);
}
