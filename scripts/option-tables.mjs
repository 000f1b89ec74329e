// Compares the tables of options in docs/ with the types. Fails if
// - an option has no row, or a row names no option
// - the default in a row is not the literal that the type documents with @default
import { readFileSync } from 'node:fs';
import ts from 'typescript';

/** The tables of a document whose header begins with `header` list the members that `types` declare themselves. */
const TABLES = [
  {
    document: 'docs/server.md',
    header: '| option | type | default |',
    source: 'server/options.ts',
    types: ['DurableProxyOptions', 'ProxyServerOptions'],
  },
  {
    document: 'docs/client.md',
    header: '| option | default |',
    source: 'core-client/types.ts',
    types: ['DurableFetchOptions'],
  },
  {
    document: 'docs/client.md',
    header: '| field | default |',
    source: 'core-client/types.ts',
    types: ['DurableRequestInit'],
  },
];

/** Returns the members of the interfaces, with the value of `@default` if they have one. */
function optionsOf({ source, types }) {
  const file = ts.createSourceFile(source, readFileSync(source, 'utf8'), ts.ScriptTarget.Latest, true);
  const interfaces = file.statements.filter(
    (statement) => ts.isInterfaceDeclaration(statement) && types.includes(statement.name.text),
  );
  return new Map(
    interfaces.flatMap(({ members }) =>
      members.map((member) => {
        const tag = ts.getJSDocTags(member).find(({ tagName }) => tagName.text === 'default');
        return [member.name.getText(file), ts.getTextOfJSDocComment(tag?.comment)];
      }),
    ),
  );
}

/** Returns the rows of the tables: name of the option and text of the column `default`. */
function* rowsOf({ document, header }) {
  const column = header.split(' | ').indexOf('default |') + 1;
  let isInTable = false;
  for (const line of readFileSync(document, 'utf8').split('\n')) {
    if (line.startsWith(header)) isInTable = true;
    else if (!line.startsWith('|')) isInTable = false;
    else if (isInTable && !line.startsWith('|---')) {
      const cells = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
      yield [/`(\w+)/.exec(cells[1])?.[1], cells[column]];
    }
  }
}

/** Returns a number, a boolean, Infinity or a quoted text in one form, and undefined for other text. */
function literalOf(text = '') {
  const [literal] = /^(\d[\d_,]*|true|false|Infinity|'[^']*')(?=$| \()/.exec(text.replaceAll('`', '')) ?? [];
  return literal?.replaceAll(/(?<=\d)[_,](?=\d)/g, '');
}

const problems = [];
for (const table of TABLES) {
  const options = optionsOf(table);
  const rows = new Map(rowsOf(table));
  for (const [name, fallback] of options) {
    if (!rows.has(name)) problems.push(`${table.document}: no row for the option ${name} of ${table.source}`);
    const [documented, declared] = [literalOf(rows.get(name)), literalOf(fallback)];
    if (rows.has(name) && documented !== declared)
      problems.push(
        `${table.document}: default of ${name} is ${documented}, ${table.source} has ${declared}`,
      );
  }
  for (const name of rows.keys())
    if (!options.has(name)) problems.push(`${table.document}: ${table.source} has no option ${name}`);
}
if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exitCode = 1;
}
