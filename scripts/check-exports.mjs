// Checks what TypeDoc finds in the entry points. Fails if
// - a type that an entry point's exports use is not exported by that entry point: a consumer could not name it
// - an export has no doc comment, or a parameter of an exported function has no description
// - a link in a doc comment is broken
// With --write, also generates the API reference in docs/api/.
import { Application, LogLevel } from 'typedoc';
import { ENTRIES } from './entries.ts';

const app = await Application.bootstrap({
  entryPoints: Object.values(ENTRIES),
  tsconfig: 'tsconfig.json',
  skipErrorChecking: true,
  excludeExternals: true,
  readme: 'none',
  validation: { notExported: true, invalidLink: true, notDocumented: false },
  logLevel: LogLevel.Warn,
});
const messages = [];
app.logger.log = (message, level) => {
  if (level >= LogLevel.Warn) messages.push(message);
};

// One program for all of them, and a conversion for each: what another entry point exports does not count.
const files = app.getEntryPoints();
if (files?.length !== Object.keys(ENTRIES).length) throw new Error(`TypeDoc failed:\n${messages.join('\n')}`);
for (const file of files) {
  const [entry] = Object.entries(ENTRIES).find(([, source]) =>
    file.sourceFile.fileName.endsWith(`/${source}`),
  );
  file.displayName = entry === 'index' ? 'durable-proxy' : `durable-proxy/${entry}`;
}
const problems = new Set();
for (const file of files) {
  messages.length = 0;
  const project = app.converter.convert([file]);
  app.validate(project);
  for (const message of messages) problems.add(`${file.displayName}: ${message}`);
  for (const message of undocumented(project)) problems.add(message);
}

/** Returns what lacks documentation among the exports of an entry point. */
function* undocumented(project) {
  for (const reflection of project.children ?? []) {
    const { name, signatures = [], sources } = reflection;
    const [source] = sources ?? signatures[0]?.sources ?? [];
    const place = `${source?.fileName}:${source?.line}: ${name}`;
    const commented = signatures.length > 0 ? signatures : [reflection];
    if (!commented.every((each) => each.hasComment())) yield `${place} has no doc comment`;
    for (const { parameters = [] } of signatures)
      for (const parameter of parameters)
        if (!parameter.hasComment()) yield `${place}: ${parameter.name} has no description`;
  }
}

if (process.argv.includes('--write')) {
  messages.length = 0;
  const project = app.converter.convert(files);
  await app.generateDocs(project, 'docs/api');
  for (const message of messages) problems.add(message);
}
if (problems.size > 0) {
  console.error([...problems].join('\n'));
  process.exitCode = 1;
}
