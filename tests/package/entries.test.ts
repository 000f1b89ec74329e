import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { ENTRIES, type EntryPoint } from '../../scripts/entries.ts';
import { exec, installConsumer, repositoryPackage, type Consumer } from './consumer.ts';

/** The packages that each entry point loads. An entry point that loads more makes apps install or start more. */
const LOADS: Readonly<Record<EntryPoint, readonly string[]>> = {
  index: ['cors', 'eventsource-parser', 'express', 'helmet', 'jose', 'micromatch', 'undici'],
  web: ['cors', 'eventsource-parser', 'jose', 'micromatch', 'undici'],
  tokens: ['jose', 'micromatch'],
  // LMDB and the client of Redis are imported when the store opens.
  embedded: [],
  redis: [],
  opentelemetry: ['@opentelemetry/api'],
  inspector: ['helmet'],
  'durable-streams': ['eventsource-parser', 'undici'],
  testing: [],
  client: [],
  sessions: [],
  transports: ['eventsource-parser'],
  react: ['@ai-sdk/react', '@tanstack/react-query', 'eventsource-parser', 'react'],
  'react/status': ['react'],
  'react/chat': ['@ai-sdk/react', 'eventsource-parser', 'react'],
  'react/query': ['@tanstack/react-query', 'eventsource-parser', 'react'],
  'react/devtools': ['react'],
  conformance: ['eventsource-parser', 'jose'],
};

/** Peers that must be installed for all entry points to load. */
const PEERS = [
  '@opentelemetry/api',
  '@ai-sdk/react',
  '@tanstack/react-query',
  'ai',
  'react',
  'redis',
] as const;

/** Prints each package that a module of durable-proxy imports, one a line. */
const REPORT = `
const report = (specifier, parent) => {
  if (!/node_modules.durable-proxy./.test(parent ?? '') || /^[./]|^node:|^file:/.test(specifier)) return;
  if (!isBuiltin(specifier)) writeSync(1, specifier + '\\n');
};`;

const HOOKS = `
import { writeSync } from 'node:fs';
import { isBuiltin } from 'node:module';
${REPORT}
export function resolve(specifier, context, next) {
  report(specifier, context.parentURL);
  return next(specifier, context);
}`;

const PROGRAMS = {
  esm: {
    file: 'load.mjs',
    text: `import { register } from 'node:module';
register('./hooks.mjs', import.meta.url);
await import(process.argv[2]);
process.exit();`,
  },
  cjs: {
    file: 'load.cjs',
    text: `const Module = require('node:module');
const { isBuiltin } = Module;
const { writeSync } = require('node:fs');
${REPORT}
const load = Module._load;
Module._load = function (specifier, parent, ...rest) {
  report(specifier, parent?.filename);
  return load.call(this, specifier, parent, ...rest);
};
require(process.argv[2]);
process.exit();`,
  },
};

describe('the entry points of the packed package', () => {
  let consumer: Consumer;

  beforeAll(async () => {
    const { devDependencies } = await repositoryPackage();
    consumer = await installConsumer(
      inject('tarball'),
      PEERS.map((name) => `${name}@${devDependencies[name]}`),
    );
    await writeFile(join(consumer.folder, 'hooks.mjs'), HOOKS);
    for (const { file, text } of Object.values(PROGRAMS)) await writeFile(join(consumer.folder, file), text);
  });
  afterAll(() => consumer?.remove());

  it('are those that package.json exports, for TypeScript without `exports` too', async ({ skip }) => {
    if (consumer.unreachable !== undefined) skip('the package could not be installed: no network?');
    const file = join(consumer.folder, 'node_modules/durable-proxy/package.json');
    const { exports, typesVersions } = JSON.parse(await readFile(file, 'utf8'));
    const names = Object.keys(ENTRIES).filter((name) => name !== 'index');
    expect(Object.keys(exports).sort()).toEqual(
      ['.', './package.json', ...names.map((name) => `./${name}`)].sort(),
    );
    expect(Object.keys(typesVersions['*']).sort()).toEqual(names.sort());
  });

  for (const [entry, packages] of Object.entries(LOADS)) {
    for (const [form, { file }] of Object.entries(PROGRAMS)) {
      it(`${entry} loads ${packages.join(', ') || 'no other package'} (${form})`, async ({ skip }) => {
        if (consumer.unreachable !== undefined) skip('the package could not be installed: no network?');
        const name = entry === 'index' ? 'durable-proxy' : `durable-proxy/${entry}`;
        const { stdout } = await exec(process.execPath, [file, name], { cwd: consumer.folder });
        const loaded = new Set(
          stdout
            .split('\n')
            .filter(Boolean)
            .map((specifier) => /^(@[^/]+\/)?[^/]+/.exec(specifier)![0]),
        );
        expect([...loaded].sort()).toEqual(packages);
      });
    }
  }
});
