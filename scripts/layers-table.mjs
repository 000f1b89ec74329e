// Checks scripts/layers.mjs, and that the table in docs/ARCHITECTURE.md shows it.
// `node scripts/layers-table.mjs --write` writes the table first.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { LAYERS } from './layers.mjs';

const DOCUMENT = 'docs/ARCHITECTURE.md';
const TABLE =
  /(?<=<!-- layers: generated from scripts\/layers\.mjs -->\n\n)[^]*?(?=\n\n<!-- end of layers -->)/;

const problems = [];
const byPath = new Map(LAYERS.map((layer) => [layer.path, layer]));

for (const { path, imports = [], types = [] } of LAYERS) {
  for (const other of [...imports, ...types])
    if (!byPath.has(other) && !['scripts/', 'tests/'].includes(other))
      problems.push(`${path}: ${other} is no layer`);
}
for (const entry of readdirSync('server', { withFileTypes: true })) {
  if (entry.isDirectory() && !byPath.has(`server/${entry.name}/`))
    problems.push(`server/${entry.name}/ has no layer: add it to scripts/layers.mjs`);
}

/** Reports layers that import from each other, directly or through others. `server/` may import everything below it. */
function visit(path, trail) {
  if (trail.includes(path)) {
    problems.push(`layers import each other: ${[...trail.slice(trail.indexOf(path)), path].join(' → ')}`);
    return;
  }
  for (const next of byPath.get(path)?.imports ?? []) if (next !== 'server/') visit(next, [...trail, path]);
}
for (const { path } of LAYERS) visit(path, []);

const code = (path) => `\`${path}\``;
function mayImport({ path, imports = [], types = [] }) {
  const values = imports
    .filter((other) => existsSync(other))
    .map((other) => (other === path ? 'all of its folders' : code(other)));
  const parts = [
    values.join(', '),
    types.length > 0
      ? `types of ${types
          .filter((other) => existsSync(other))
          .map(code)
          .join(', ')}`
      : '',
  ];
  return parts.filter(Boolean).join('; ') || 'nothing';
}
const rows = LAYERS.filter(({ path }) => existsSync(path)).map(
  (layer) => `| ${code(layer.path)} | ${layer.holds} | ${mayImport(layer)} |`,
);
const table = ['| folder | holds | may import |', '|---|---|---|', ...rows].join('\n');

const text = readFileSync(DOCUMENT, 'utf8');
if (!TABLE.test(text)) problems.push(`${DOCUMENT} has no table of layers`);
else if (process.argv.includes('--write'))
  writeFileSync(
    DOCUMENT,
    text.replace(TABLE, () => table),
  );
else if (TABLE.exec(text)[0] !== table)
  problems.push(`${DOCUMENT}: the table is out of date. Run: node scripts/layers-table.mjs --write`);

if (problems.length > 0) {
  console.error([...new Set(problems)].join('\n'));
  process.exitCode = 1;
}
