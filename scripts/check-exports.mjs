// Fails if a type that an entry point's exports use is not exported by that entry point: a consumer could not
// name it. TypeDoc finds the references.
import { Application, LogLevel } from 'typedoc';
import { ENTRIES } from './entries.ts';

const app = await Application.bootstrap({
  entryPoints: Object.values(ENTRIES),
  tsconfig: 'tsconfig.json',
  skipErrorChecking: true,
  excludeExternals: true,
  readme: 'none',
  validation: { notExported: true, invalidLink: false, notDocumented: false },
  logLevel: LogLevel.Warn,
});
const messages = [];
app.logger.log = (message, level) => {
  if (level >= LogLevel.Warn) messages.push(message);
};

// One program for all of them, and a conversion for each: what another entry point exports does not count.
const files = app.getEntryPoints();
if (files?.length !== Object.keys(ENTRIES).length) throw new Error(`TypeDoc failed:\n${messages.join('\n')}`);
const problems = [];
for (const file of files) {
  messages.length = 0;
  app.validate(app.converter.convert([file]));
  for (const message of messages) problems.push(`${file.displayName}: ${message}`);
}
if (problems.length > 0) {
  console.error(`${problems.join('\n')}\nExport these types from the entry point that uses them.`);
  process.exitCode = 1;
}
