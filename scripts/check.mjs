// `npm run check`: everything but the tests, two steps at a time. Prints what failed, and only that, in full.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';

const LANES = 2;

/** Longest first; a step's `then` needs its files. Type tests (`*.test-d.ts`) are part of `types`. */
const steps = [
  {
    name: 'build',
    command: 'npm run --silent build',
    then: [{ name: 'package', command: 'node scripts/check-package.mjs' }],
  },
  { name: 'exports', command: 'tsx scripts/check-exports.mjs' },
  { name: 'lint', command: 'npm run --silent check:lint' },
  { name: 'types', command: 'npm run --silent check:types' },
  // The hook's types with the other majors of the AI SDK.
  ...[5, 7].map((major) => ({
    name: `types (ai ${major})`,
    command: `tsc -p tests/react/tsconfig.ai${major}.json`,
  })),
  { name: 'format', command: 'npm run --silent check:format' },
  { name: 'unused', command: 'npm run --silent check:unused' },
];
steps.push({ name: 'imports', command: 'npm run --silent check:imports' });
steps.push({ name: 'links', command: 'node scripts/links.mjs' });
steps.push({ name: 'option tables', command: 'node scripts/option-tables.mjs' });
steps.push({ name: 'phrases', command: 'node scripts/phrases.mjs' });
steps.push({ name: 'samples', command: 'node scripts/samples.mjs' });
if (existsSync('scripts/requirements.mjs')) {
  steps.push({ name: 'requirements', command: 'node scripts/requirements.mjs' });
}

/** @returns {Promise<boolean>} whether the step went well */
function run({ name, command }) {
  return new Promise((resolve) => {
    const start = performance.now();
    const child = spawn(command, { shell: true, env: { ...process.env, FORCE_COLOR: '1' } });
    const output = [];
    child.stdout.on('data', (data) => output.push(data));
    child.stderr.on('data', (data) => output.push(data));
    child.on('close', (code) => {
      const seconds = ((performance.now() - start) / 1000).toFixed(1).padStart(5);
      console.log(`${code === 0 ? '✓' : '✗'} ${name.padEnd(14)}${seconds} s`);
      if (code !== 0 || name === 'package') process.stdout.write(Buffer.concat(output));
      resolve(code === 0);
    });
  });
}

const failed = [];
async function lane() {
  for (let step = steps.shift(); step !== undefined; step = steps.shift()) {
    if (await run(step)) for (const next of (step.then ?? []).toReversed()) steps.unshift(next);
    else failed.push(step.name);
  }
}
await Promise.all(Array.from({ length: LANES }, lane));

if (failed.length > 0) {
  console.error(`failed: ${failed.join(', ')}`);
  process.exitCode = 1;
}
