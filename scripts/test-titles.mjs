// Reads the titles of all tests. The checks that tie documents to tests (requirements.mjs, samples.mjs) use it.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SKIPPED_FOLDERS = new Set(['node_modules', 'dist', 'coverage']);

/**
 * The first argument of `it`, `test`, `together`, `describe…` or `suite`, of `it.each(…)` and the like, or of the
 * conformance suite's own `test`.
 */
const TITLE =
  /(?:\b(?:it|test|together|describe\w*|suite)(?<modifiers>(?:\.\w+)*)|\))\(\s*(?:'(?<single>(?:[^'\\\n]|\\.)*)'|"(?<double>(?:[^"\\\n]|\\.)*)"|`(?<template>(?:[^`\\]|\\.)*)`)\s*,/g;

/** Files that contain tests: unit tests anywhere, the suites that they run, and the conformance suite. */
function* testFiles(folder = ROOT) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!SKIPPED_FOLDERS.has(entry.name) && !entry.name.startsWith('.')) yield* testFiles(path);
      continue;
    }
    const name = relative(ROOT, path).replaceAll('\\', '/');
    if (/\.test\.tsx?$/.test(name) || /^(conformance|server\/testing|tests)\/.*\.tsx?$/.test(name))
      yield [name, path];
  }
}

/**
 * Finds what test titles name in brackets, such as `[READ-1]`. Ignores tests marked `skip` or `todo`.
 * @param {RegExp} bracketed global pattern whose first group is the name
 * @returns {Map<string, string[]>} the places, as `file:line`, of each name
 */
export function namesInTitles(bracketed) {
  const places = new Map();
  for (const [file, path] of testFiles()) {
    const source = readFileSync(path, 'utf8');
    if (!source.includes('[')) continue;
    for (const match of source.matchAll(TITLE)) {
      const { single, double, template, modifiers = '' } = match.groups;
      if (/\.(skip|todo)\b/.test(modifiers)) continue;
      for (const [, name] of (single ?? double ?? template).matchAll(bracketed)) {
        const line = source.slice(0, match.index).split('\n').length;
        places.set(name, [...(places.get(name) ?? []), `${file}:${line}`]);
      }
    }
  }
  return places;
}
