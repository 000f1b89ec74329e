// Ties the requirements of docs/PROTOCOL.md to test titles, both ways. Prints orphans and fails when there are any.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const DOCUMENT = 'docs/PROTOCOL.md';
const SKIPPED_FOLDERS = new Set(['node_modules', 'dist', 'coverage']);

const ID = '[A-Z]+-\\d+';
const DEFINITION = new RegExp(`^- \\*\\*\\[(${ID})\\]\\*\\*`, 'gm');
const BRACKETED = new RegExp(`\\[(${ID})\\]`, 'g');
/**
 * The title of a test: a string that is the first argument of `it`, `test` or `describe`, of `it.each(…)` and
 * the like, or of the suite's own `test`. One that is skipped for good checks nothing.
 */
const TITLE =
  /(?:\b(?:it|test|describe|suite)(?<modifiers>(?:\.\w+)*)|\))\(\s*(?:'(?<single>(?:[^'\\\n]|\\.)*)'|"(?<double>(?:[^"\\\n]|\\.)*)"|`(?<template>(?:[^`\\]|\\.)*)`)\s*,/g;

/** Files that hold tests: unit tests anywhere, suites that unit tests run, and the conformance suite. */
function* testFiles(folder = ROOT) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!SKIPPED_FOLDERS.has(entry.name) && !entry.name.startsWith('.')) yield* testFiles(path);
      continue;
    }
    const name = relative(ROOT, path).replaceAll('\\', '/');
    if (/\.test\.tsx?$/.test(name) || /^(conformance|tests)\/.*\.tsx?$/.test(name)) yield [name, path];
  }
}

/** @returns {Map<string, string[]>} where each id is named, as `file:line` */
function idsInTitles() {
  const places = new Map();
  for (const [name, path] of testFiles()) {
    const source = readFileSync(path, 'utf8');
    if (!source.includes('[')) continue;
    for (const match of source.matchAll(TITLE)) {
      const { single, double, template, modifiers = '' } = match.groups;
      if (/\.(skip|todo)\b/.test(modifiers)) continue;
      for (const [, id] of (single ?? double ?? template).matchAll(BRACKETED)) {
        const line = source.slice(0, match.index).split('\n').length;
        places.set(id, [...(places.get(id) ?? []), `${name}:${line}`]);
      }
    }
  }
  return places;
}

const document = readFileSync(join(ROOT, DOCUMENT), 'utf8');
const defined = [...document.matchAll(DEFINITION)].map(([, id]) => id);
const tested = idsInTitles();
const problems = [];

for (const id of new Set(defined.filter((id, i) => defined.indexOf(id) !== i))) {
  problems.push(`${id} is defined more than once in ${DOCUMENT}`);
}
for (const id of defined) {
  if (!tested.has(id)) problems.push(`${id} is in ${DOCUMENT} but in no test title`);
}
for (const [id, places] of tested) {
  if (!defined.includes(id))
    problems.push(`${id} is not in ${DOCUMENT}, but in the title at ${places.join(', ')}`);
}

if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exitCode = 1;
} else {
  const titles = [...tested.values()].reduce((sum, places) => sum + places.length, 0);
  console.log(`${defined.length} requirements, named ${titles} times in test titles`);
}
