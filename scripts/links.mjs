// Checks the links between the Markdown files of the repository: that each file exists, and each heading that an anchor names.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

const SKIPPED_FOLDERS = new Set(['node_modules', 'dist', 'coverage', 'api']);

function* markdownFiles(folder = '.') {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isFile() && entry.name.endsWith('.md')) yield path;
    if (entry.isDirectory() && !SKIPPED_FOLDERS.has(entry.name) && !entry.name.startsWith('.'))
      yield* markdownFiles(path);
  }
}

/** A Markdown file without its code, where brackets and `#` mean something else. */
function proseOf(path) {
  return readFileSync(path, 'utf8').replaceAll(/^( *)(`{3,})[^]*?^\1\2`*$/gm, '');
}

/** Returns the anchors of a file's headings as GitHub makes them, and those that are written as HTML. */
const anchors = new Map();
function anchorsOf(path) {
  const known = anchors.get(path);
  if (known) return known;
  const found = new Set();
  const text = proseOf(path);
  for (const [, heading] of text.matchAll(/^#{1,6} +(.+?)[ #]*$/gm)) {
    const slug = heading
      .replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
      .replaceAll(' ', '-');
    let unique = slug;
    for (let count = 1; found.has(unique); count += 1) unique = `${slug}-${count}`;
    found.add(unique);
  }
  for (const [, id] of text.matchAll(/<a (?:id|name)="([^"]+)"/g)) found.add(id);
  anchors.set(path, found);
  return found;
}

const LINK =
  /!?\[(?:[^[\]]|\[[^\]]*\])*\]\(<?([^)\s>]+)>?(?: "[^"]*")?\)|^\[[^\]]+\]: +(\S+)|<(?:img|a|source)\s[^>]*?(?:src|href|srcset)="([^"]+)"/gm;

const problems = [];
const checked = [];
for (const file of markdownFiles()) {
  const text = proseOf(file).replaceAll(/`[^`\n]*`/g, (code) => ' '.repeat(code.length));
  for (const [, inline, reference, html] of text.matchAll(LINK)) {
    const link = inline ?? reference ?? html;
    if (/^[a-z][a-z+.-]*:/i.test(link)) continue;
    checked.push(link);
    const [path, anchor] = link.split('#');
    const target = path === '' ? file : normalize(join(dirname(file), decodeURIComponent(path)));
    if (!existsSync(target)) problems.push(`${file}: ${link} does not exist`);
    else if (anchor && target.endsWith('.md') && statSync(target).isFile() && !anchorsOf(target).has(anchor))
      problems.push(`${file}: ${target} has no heading #${anchor}`);
  }
}

if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exitCode = 1;
} else console.log(`${checked.length} links between Markdown files`);
