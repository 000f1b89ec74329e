import { ConfigurationError } from './errors.ts';
import { MAX_TIMER_MS } from './max-timer.ts';

/** Describes one option: how its value is checked, and its default. */
export interface OptionSpec<Value, Default extends Value | undefined = Value | undefined> {
  /**
   * Returns the checked value.
   * @throws ConfigurationError that names the option and shows a valid value. It never contains the given
   *   value.
   */
  readonly check: (name: string, value: unknown) => Value;
  readonly fallback: Default;
  /** True if `check` is also called for an absent value, to reject it. */
  readonly required?: true;
}

/** Unit of a numeric option; `number` for counts. */
export type Unit = 'ms' | 'seconds' | 'bytes' | 'number';

/** An integer option. Has a command line flag if it has `help`. */
export interface NumberSpec extends OptionSpec<number, number> {
  readonly min: number;
  readonly max: number;
  /** True if `Infinity` disables the limit. */
  readonly unlimited: boolean;
  readonly unit: Unit;
  /** One line for `--help`, without the default. Options of the proxy have one, options of a store do not. */
  readonly help?: string;
  /** Name of the command line flag, if it is not the option's name in kebab case. */
  readonly flag?: string;
}

interface NumberInit {
  readonly fallback: number;
  /** @default 1 */
  readonly min?: number;
  /** @default "number" */
  readonly unit?: Unit;
  readonly help?: string;
  readonly flag?: string;
}

/** Declares a size, a count or a number of seconds. `Infinity` disables the limit. */
export function limit(init: NumberInit): NumberSpec {
  return number({ ...init, max: Number.MAX_SAFE_INTEGER });
}

/** Declares a time in milliseconds, at most the longest delay of a timer. */
export function milliseconds(init: NumberInit): NumberSpec {
  return number({ ...init, unit: 'ms', max: MAX_TIMER_MS });
}

/** Declares an integer up to `max`. */
export function number(init: NumberInit & { readonly max: number }): NumberSpec {
  const { fallback, min = 1, max, unit = 'number' } = init;
  const unlimited = max === Number.MAX_SAFE_INTEGER;
  return {
    ...init,
    min,
    unit,
    unlimited,
    check(name, value) {
      if (unlimited && value === Infinity) return max;
      if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max)
        return value as number;
      const range = unlimited ? `of at least ${min}, or Infinity` : `from ${min} to ${max}`;
      throw wrongType(name, `a whole number ${range}`, value, `${name}: ${fallback}`);
    },
  };
}

/** Declares a boolean. */
export function flag(fallback: boolean): OptionSpec<boolean, boolean> {
  return {
    fallback,
    check(name, value) {
      if (typeof value === 'boolean') return value;
      throw wrongType(name, 'true or false', value, `${name}: ${!fallback}`);
    },
  };
}

/** Declares a non-empty string. */
export function text(example: string): OptionSpec<string, undefined> {
  return {
    fallback: undefined,
    check(name, value) {
      if (typeof value === 'string' && value !== '') return value;
      throw wrongType(name, 'a non-empty string', value, `${name}: ${example}`);
    },
  };
}

/** Declares a required option. `check` rejects an absent value. */
export function required<Value>(check: OptionSpec<Value>['check']): OptionSpec<Value, never> {
  return { required: true, fallback: undefined as never, check };
}

/** Declares an option with a fixed set of string values. */
export function oneOf<const Value extends string>(values: readonly Value[]): OptionSpec<Value, undefined> {
  return {
    fallback: undefined,
    check(name, value) {
      const known = values.find((each) => each === value);
      if (known !== undefined) return known;
      throw wrongType(name, values.map((each) => `'${each}'`).join(' or '), value, `${name}: '${values[0]}'`);
    },
  };
}

/** Declares a list of strings. The list is copied, so later changes by the caller have no effect. */
export function list(example: string): OptionSpec<readonly string[], readonly string[]> {
  return {
    fallback: [],
    check: (name, value) => copyStrings(name, value, 'a list of strings', `${name}: ${example}`),
  };
}

/**
 * Copies a list of strings.
 * @param wanted describes a valid value in the error.
 * @throws ConfigurationError that names the first entry that is not a string.
 */
export function copyStrings(
  name: string,
  value: unknown,
  wanted: string,
  example: string,
): readonly string[] {
  if (!Array.isArray(value)) throw wrongType(name, wanted, value, example);
  // Not `every`, which skips the holes of a list.
  const index = value.findIndex((each) => typeof each !== 'string');
  if (index === -1) return Object.freeze([...(value as string[])]);
  throw wrongPart(name, wanted, `entry ${index} is ${nameValue(value[index])}`, example);
}

/** Declares an object whose values are strings. */
export function strings(example: string): OptionSpec<Readonly<Record<string, string>>, undefined> {
  return {
    fallback: undefined,
    check(name, value) {
      const wanted = 'an object of strings';
      if (!isObject(value)) throw wrongType(name, wanted, value, `${name}: ${example}`);
      const wrong = Object.entries(value).find(([, each]) => typeof each !== 'string');
      if (!wrong) return Object.freeze({ ...(value as Record<string, string>) });
      throw wrongPart(name, wanted, `"${wrong[0]}" is ${nameValue(wrong[1])}`, `${name}: ${example}`);
    },
  };
}

/** Declares a function. */
export function callback<Value>(example: string): OptionSpec<Value, undefined> {
  return {
    fallback: undefined,
    check(name, value) {
      if (typeof value === 'function') return value as Value;
      throw wrongType(name, 'a function', value, `${name}: ${example}`);
    },
  };
}

/** Declares an object with the given methods. */
export function withMethods<Value>(
  methods: readonly (keyof Value)[],
  example: string,
): OptionSpec<Value, undefined> {
  return {
    fallback: undefined,
    check(name, value) {
      const missing = missingMethods(value, methods);
      if (missing === undefined) return value as Value;
      const wanted = `an object with the methods ${methods.map(String).join(', ')}`;
      if (!isObject(value)) throw wrongType(name, wanted, value, `${name}: ${example}`);
      throw wrongPart(name, wanted, `it ${missing}`, `${name}: ${example}`);
    },
  };
}

/** Returns what an error says of a value without all of the methods, or undefined if it has them. */
export function missingMethods(value: unknown, methods: readonly PropertyKey[]): string | undefined {
  const missing = methods.filter(
    (method) =>
      typeof (value as Partial<Record<PropertyKey, unknown>> | null | undefined)?.[method] !== 'function',
  );
  if (missing.length === 0) return undefined;
  return isObject(value) ? `has no method ${missing.map(String).join(', ')}` : `is ${nameValue(value)}`;
}

/**
 * Builds the error for a value of the wrong type. The value may be a credential, so the message names only its
 * type.
 */
export function wrongType(name: string, wanted: string, value: unknown, example: string): ConfigurationError {
  return new ConfigurationError(`${name} must be ${wanted}${got(value)}. Example: ${example}`);
}

function got(value: unknown): string {
  if (value === undefined) return '';
  return `, not ${typeof value === 'number' ? value : nameValue(value, 'this')}`;
}

/**
 * Builds the error for a value of which one part is wrong, such as an entry of a list.
 * @param fault names the part, and not its value: `entry 0 is undefined`.
 */
export function wrongPart(name: string, wanted: string, fault: string, example: string): ConfigurationError {
  return new ConfigurationError(`${name} must be ${wanted}, but ${fault}. Example: ${example}`);
}

/**
 * Names a value in an error message: `undefined`, `null`, `an empty string`. Of other values it names only the type,
 * because they may be credentials.
 * @param determiner precedes a type: `this` for "this string", absent for "a string".
 */
export function nameValue(value: unknown, determiner?: 'this'): string {
  if (value === undefined || value === null) return String(value);
  if (value === '') return 'an empty string';
  const type = Array.isArray(value) ? 'list' : typeof value;
  return `${determiner ?? (type === 'object' ? 'an' : 'a')} ${type}`;
}

/** Returns true for an object that is not a list, a function or null. */
export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
