// Fails if a type that an entry point's exports use is not exported by that entry point: a consumer could not
// name it. TypeDoc finds the references.
import { Application, LogLevel } from 'typedoc';
import { ENTRIES } from './entries.ts';

/** @returns {Promise<string[]>} the types that `file` uses and does not export */
async function missingExports(file) {
  const app = await Application.bootstrap({
    entryPoints: [file],
    tsconfig: 'tsconfig.json',
    skipErrorChecking: true,
    excludeExternals: true,
    validation: { notExported: true, invalidLink: false, notDocumented: false },
    logLevel: LogLevel.Warn,
  });
  const messages = [];
  app.logger.log = (message, level) => {
    if (level >= LogLevel.Warn) messages.push(message);
  };
  const project = await app.convert();
  if (project === undefined) throw new Error(`TypeDoc cannot read ${file}`);
  app.validate(project);
  return messages;
}

const problems = [];
for (const [entry, file] of Object.entries(ENTRIES)) {
  for (const message of await missingExports(file)) problems.push(`${entry}: ${message}`);
}
if (problems.length > 0) {
  console.error(`${problems.join('\n')}\nExport these types from the entry point that uses them.`);
  process.exitCode = 1;
}
