import { ConfigurationError } from './errors.ts';
import { isObject, type OptionSpec } from './option-spec.ts';
import { closestName } from './closest-name.ts';

/** The options of one function by name. */
export type OptionTable = Readonly<Record<string, OptionSpec<unknown>>>;

/** Options after validation: options with a default are always present. */
export type Checked<Table> = {
  readonly [Name in keyof Table]: Table[Name] extends OptionSpec<infer Value, infer Default>
    ? [Default] extends [never]
      ? Value
      : Default extends undefined
        ? Value | undefined
        : Value
    : never;
};

/**
 * Validates options against their table and fills in defaults. An option that is `undefined` counts as absent.
 * @param functionName name of the function that accepts the options; error messages begin with it.
 * @param example a valid call.
 * @returns a frozen object with every name of the table.
 * @throws ConfigurationError for an unknown name, with the closest known one, or a value of the wrong type.
 */
export function checkOptions<Table extends OptionTable>(
  functionName: string,
  table: Table,
  options: unknown,
  example: string,
): Checked<Table> {
  checkNames(functionName, Object.keys(table), options, example);
  const given = options as Readonly<Record<string, unknown>>;
  const checked = Object.entries(table).map(([name, spec]) => {
    const value = given[name];
    return [name, value === undefined && !spec.required ? spec.fallback : spec.check(name, value)] as const;
  });
  return Object.freeze(Object.fromEntries(checked)) as Checked<Table>;
}

/**
 * Checks only that `options` is an object without unknown names.
 * @throws ConfigurationError with the closest known name.
 */
export function checkNames(
  functionName: string,
  names: readonly string[],
  options: unknown,
  example: string,
): void {
  if (!isObject(options)) throw new ConfigurationError(`${functionName} needs options: ${example}`);
  for (const name of Object.keys(options)) {
    if (names.includes(name)) continue;
    const closest = closestName(name, names);
    throw new ConfigurationError(
      `${functionName} has no option "${name}". ${closest === undefined ? `It has: ${names.join(', ')}` : `Did you mean "${closest}"?`}`,
    );
  }
}
