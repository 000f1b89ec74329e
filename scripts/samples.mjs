// Ties every code block of README.md and docs/*.md to a file under tests/samples, and that file to a test.
// `node scripts/samples.mjs` checks; `node scripts/samples.mjs --write` copies the files into the documents first.
// How to add a sample: tests/samples/README.md.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { namesInTitles, ROOT } from './test-titles.mjs';

const FOLDER = 'tests/samples';
const documents = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

/** A marker, a blank line and a code block; or a code block alone. `text` and `mermaid` are for output and diagrams. */
const BLOCK =
  /(?:<!-- (?<kind>sample|not a sample): (?<what>[^\n]+?) -->\n\n)?^```(?<language>\w*)\n(?:(?<code>[^]*?)\n)??```$/gm;
const NAMED = /\[([\w./-]+\.\w+)\]/g;
const REGION = /^[ \t]*(?:\/\/|#) #region\n([^]*?)\n[ \t]*(?:\/\/|#) #endregion$/gm;

/** The part of a file that documents show: its regions, or all of it if it has none. */
function sampleText(file) {
  const source = readFileSync(join(ROOT, FOLDER, file), 'utf8').trimEnd();
  const regions = [...source.matchAll(REGION)].map(([, text]) => dedent(text));
  return regions.length > 0 ? regions.join('\n\n') : source;
}

function dedent(text) {
  const lines = text.split('\n');
  const indents = lines.filter((line) => line.trim() !== '').map((line) => /^ */.exec(line)[0].length);
  const shared = indents.reduce((least, indent) => Math.min(least, indent), Infinity);
  return lines.map((line) => line.slice(shared)).join('\n');
}

/** Files of tests/samples that are samples: not the tests, not their helpers. */
const files = readdirSync(join(ROOT, FOLDER), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name).slice(join(ROOT, FOLDER).length + 1))
  .filter((name) => !/^(README\.md|support\/.*|.*\/session\.ts|.*\.test\.tsx?)$/.test(name));

const shown = new Set();
const problems = [];
for (const document of documents) {
  const path = join(ROOT, document);
  const text = readFileSync(path, 'utf8');
  const written = text.replaceAll(BLOCK, (block, ...rest) => {
    const { kind, what, language, code } = rest.at(-1);
    const place = `${document}:${text.slice(0, rest.at(-3)).split('\n').length}`;
    if (kind === 'not a sample' || ['text', 'mermaid'].includes(language)) return block;
    if (kind === undefined) {
      problems.push(`${place}: the code block names no sample. See ${FOLDER}/README.md`);
      return block;
    }
    const file = what.replace(`${FOLDER}/`, '');
    if (!files.includes(file)) {
      problems.push(`${place}: ${what} does not exist`);
      return block;
    }
    shown.add(file);
    const expected = sampleText(file);
    if (code === expected) return block;
    if (!process.argv.includes('--write'))
      problems.push(`${place}: differs from ${what}. Run: node scripts/samples.mjs --write`);
    const start = block.indexOf('```');
    return `${block.slice(0, start)}\`\`\`${language}\n${expected}\n\`\`\``;
  });
  if (process.argv.includes('--write') && written !== text) writeFileSync(path, written);
  for (const [, line] of text.matchAll(/\n\n( {4}(?:npm|npx|node|curl|docker|[A-Z_]+=).*)/g))
    problems.push(`${document}: fence this command, so that it is a sample: ${line.trim()}`);
}

const tested = namesInTitles(NAMED);
for (const file of files) {
  if (!shown.has(file)) problems.push(`${FOLDER}/${file} is in no document`);
  if (!tested.has(file)) problems.push(`${FOLDER}/${file} is named by no test title, as [${file}]`);
}

if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exitCode = 1;
} else {
  console.log(`${files.length} samples, each in a document and named by a test`);
}
