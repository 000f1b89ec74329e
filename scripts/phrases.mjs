// Rejects phrases that readers stumble over: private metaphors and unusual word order.
// `node scripts/phrases.mjs` checks the repository; `node scripts/phrases.mjs <file or folder>…` only those.
// Reads files as text: comments, documents, test titles and messages alike.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { ROOT } from './test-titles.mjs';

const SKIPPED_FOLDERS = new Set(['node_modules', 'dist', 'coverage', 'api', 'images', 'releases']);
const TEXT = /\.(tsx?|mjs|md|css|html|json|sh|ya?ml)$/;

/** Files and folders that still have such phrases. Do not add any: rewrite the text instead. */
const PENDING = [];

/** These have to quote the phrases, or are generated. */
const EXCEPTIONS = new Set([
  'scripts/phrases.mjs',
  'tests/scripts/phrases.test.ts',
  'demo/agent/answers.ts',
  'package-lock.json',
]);

/** What is rejected, and what to write instead. */
const PHRASES = [
  [/\b(lets?|letting) go\b|\blets? (\w+ ){1,3}go\b/, 'releases, cancels, disconnects'],
  [/\bwhoever\b/, 'name the actor: the caller, a reader'],
  [
    /\b(nobody|somebody) (is told|knows|hears|asks|waits|wants|looks|sees|there|else)\b/,
    'no caller, another reader',
  ],
  [/\b(is|are|was|were|be) gone\b/, 'was deleted, has disconnected, does not exist'],
  [/\b(tells|told|telling)\b/, 'reports, notifies, indicates'],
  [/\b(tak(es?|en|ing)|took) up\b/, 'resumes, continues'],
  [/\bput it in\b|\bput in front\b/, 'install, place before'],
  [/\bwhat stands\b|\bstands (behind|beside|in|at|around|where)\b/, 'is, is stored, is in'],
  [/\b(hands (on|out|over)|handed (on|out)|handing (on|out))\b/, 'passes, forwards, returns'],
  [/\bat hand\b/, 'available, buffered'],
  [/\b(gives|gave)\b(?! (up|access))/, 'returns, sends'],
  [/\bbehind (it|them|its|the (last|first|bytes?|offset|end|head|event|frame)|every|what)\b/, 'after'],
  [/\blies\b/, 'is, is stored'],
  [/\b(is|are) no (uuid|offset|http|url|json|token|number|text)\b/, 'is not a'],
  [/\b(goes|go|went|going) on\b/, 'continues'],
  [/\bheard of\b/, 'known'],
  [/\bis news\b|\bno news\b/, 'a change, data'],
  [/\bits own problem\b|\bdoes its part\b|\bdo its part\b/, 'state the fact'],
  [/\bwhat (nobody|somebody|others|came|waits|stays|counts|holds) /, 'use a noun: bytes, events, requests'],
  [/\b(breaks|broke|broken|breaking) off\b/, 'closes the connection, ends early'],
  [/\bcalled upon\b|\bcounted upon\b/, 'state the fact'],
  [/\bfalls? silent\b|\bfell silent\b/, 'sends nothing'],
  [/\bso to speak\b|\bas it were\b|\bwere it not\b/, 'remove it'],
  [/\bmay vanish\b|\bvanish(es|ed)?\b/, 'expires, is deleted, disconnects'],
  [/\balso if\b/, 'even if'],
  [/\banew\b/, 'again'],
  [/\b(in|is cut in) mid-\w+/, 'during an answer, within a chunk, before the answer was complete'],
  [/\bany more(?=[.,;:)])/, 'no longer, again'],
  [/\belse than\b/, 'other than'],
  [/\bhears? of\b|\bheard of(?!')/, 'knows, receives, is notified of'],
  [/\bdies away\b|\bdies with\b|\blives on\b|\bcomes to life\b/, 'state the fact'],
];

/** @returns {Generator<string>} the files to check below a path, relative to the root */
function* files(path) {
  if (!statSync(path).isDirectory()) {
    if (TEXT.test(path) && !EXCEPTIONS.has(relative(ROOT, path))) yield path;
    return;
  }
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.name.startsWith('.') || SKIPPED_FOLDERS.has(entry.name)) continue;
    yield* files(join(path, entry.name));
  }
}

/** Joins the lines of a paragraph or comment without changing the length, so that phrases are found across lines. */
function joined(text) {
  return text.replaceAll(/\n[ \t]*(?:\/\/|\*(?!\/)|#|>)?[ \t]*/g, (found) => ' '.padEnd(found.length, '\0'));
}

function* problemsOf(path) {
  const source = readFileSync(path, 'utf8');
  const kept = [];
  const text = [...joined(source)].filter((char, i) => char !== '\0' && kept.push(i)).join('');
  for (const [pattern, instead] of PHRASES) {
    for (const { 0: found, index } of text.matchAll(new RegExp(pattern, 'gi'))) {
      const line = source.slice(0, kept[index]).split('\n').length;
      yield `${relative(ROOT, path)}:${line}: "${found.trim()}" (instead: ${instead})`;
    }
  }
}

const given = process.argv.slice(2);
const pending = PENDING.map((path) => join(ROOT, path));
const isPending = (path) => pending.some((each) => path === each || path.startsWith(`${each}/`));
const checked = (given.length > 0 ? given : [ROOT])
  .flatMap((path) => [...files(resolve(path))])
  .filter((path) => given.length > 0 || !isPending(path));
const problems = checked.flatMap((path) => [...problemsOf(path)]);

if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exitCode = 1;
} else console.log(`${checked.length} files without odd phrases`);
