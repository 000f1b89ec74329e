// Checks what TypeDoc finds in the entry points. Fails if
// - a type that an entry point's exports use is not exported by that entry point: a consumer could not name it
// - an export or a member of an exported interface or class has no doc comment
// - a parameter of an exported function or of a method of an exported type has no description
// - a link in a doc comment is broken
// With --write, also generates the API reference in docs/api/.
import { Application, LogLevel, ReflectionKind } from 'typedoc';
import { ENTRIES } from './entries.ts';

/** The parts of other libraries' types that we use, which those libraries document. */
const FOREIGN_SHAPES = new Set([
  ...[
    'IoRedisClient',
    'IoRedisCluster',
    'RedisClient',
    'RedisCluster',
    'RedisClusterNode',
    'RedisCommandOptions',
    'RedisSentinel',
  ],
  ...['PreparedRequest', 'RunContext', 'SendMessagesOptions', 'TanStackMessage', 'TestApi'],
]);

/** Properties whose type is a function of the platform, such as `typeof fetch`. */
const FOREIGN_FUNCTIONS = new Set(['DurableFetchOptions.fetch']);

/** Constants from which an exported union type is made. An entry point need not export them: they would enlarge the client. */
const SOURCES_OF_UNIONS = ['CLIENT_ERROR_CODES', 'ERROR_STATUS', 'OUTCOMES'];

/** Members whose meaning JavaScript defines. */
const UNDOCUMENTED_MEMBERS = new Set(['constructor', 'name', '[hasInstance]']);

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
  if (level < LogLevel.Warn || SOURCES_OF_UNIONS.some((name) => message.includes(`${name}, defined in `)))
    return;
  messages.push(message);
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
    const { name } = reflection;
    yield* withoutComment(reflection, name);
    yield* withoutDescription(reflection, name);
    for (const member of membersOf(reflection)) {
      yield* withoutComment(member, `${name}.${member.name}`);
      yield* withoutDescription(member, `${name}.${member.name}`);
    }
  }
}

/** Returns the members that an interface, a class or an object type declares itself. */
function membersOf({ name, kind, type, children = [] }) {
  if (FOREIGN_SHAPES.has(name)) return [];
  const isAlias = kind === ReflectionKind.TypeAlias && type?.type === 'reflection';
  if (!isAlias && kind !== ReflectionKind.Interface && kind !== ReflectionKind.Class) return [];
  return (isAlias ? (type.declaration.children ?? []) : children).filter(
    (member) => !member.inheritedFrom && !member.flags.isExternal && !UNDOCUMENTED_MEMBERS.has(member.name),
  );
}

function* withoutComment(reflection, name) {
  const { signatures = [], getSignature } = reflection;
  const commented = signatures.length > 0 ? signatures : [getSignature ?? reflection];
  if (!commented.every((each) => each.hasComment()))
    yield `${placeOf(reflection)}: ${name} has no doc comment`;
}

/** Returns the parameters without a description: of a function or method, or of a property whose type is a function. */
function* withoutDescription(reflection, name) {
  const { signatures = reflection.type?.declaration?.signatures ?? [] } = reflection;
  if (FOREIGN_FUNCTIONS.has(name)) return;
  for (const { parameters = [] } of signatures)
    for (const parameter of parameters)
      if (!parameter.hasComment())
        yield `${placeOf(reflection)}: ${name}: ${parameter.name} has no description`;
}

function placeOf({ sources, signatures, getSignature }) {
  const [source] = sources ?? signatures?.[0]?.sources ?? getSignature?.sources ?? [];
  return `${source?.fileName}:${source?.line}`;
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
