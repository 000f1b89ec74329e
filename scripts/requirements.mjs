// Ties the requirements of docs/PROTOCOL.md to test titles, both ways. Prints orphans and fails when there are any.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { namesInTitles, ROOT } from './test-titles.mjs';

const DOCUMENT = 'docs/PROTOCOL.md';

const ID = '[A-Z]+-\\d+';
const DEFINITION = new RegExp(`^- \\*\\*\\[(${ID})\\]\\*\\*`, 'gm');
const BRACKETED = new RegExp(`\\[(${ID})\\]`, 'g');
const document = readFileSync(join(ROOT, DOCUMENT), 'utf8');
const defined = [...document.matchAll(DEFINITION)].map(([, id]) => id);
const tested = namesInTitles(BRACKETED);
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
