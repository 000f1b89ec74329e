import { PROXY_OPTIONS, SERVER_OPTIONS } from '../options/table.ts';
import type { NumberSpec } from '../shared/option-spec.ts';

/** A command line flag that sets a numeric option. */
export interface NumberFlag {
  /** Name of the option, such as `maxRequestBytes`. */
  readonly option: string;
  /** Name of the flag without dashes, such as `max-request-bytes`. */
  readonly flag: string;
  readonly spec: NumberSpec & { readonly help: string };
}

/** Numeric options that have a line in `--help`, in the order of the options table. */
export const NUMBER_FLAGS: readonly NumberFlag[] = Object.entries({
  ...SERVER_OPTIONS,
  ...PROXY_OPTIONS,
}).flatMap(([option, spec]) =>
  'help' in spec ? [{ option, flag: spec.flag ?? kebabCase(option), spec: spec as NumberFlag['spec'] }] : [],
);

function kebabCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** Returns the lines of `--help` for these flags, with units and defaults. */
export function numberFlagsHelp(flags: readonly NumberFlag[]): string {
  return flags
    .map(({ flag, spec }) => {
      const name = `--${flag} <${spec.unit}>`;
      const gap = name.length < 38 ? ' '.repeat(38 - name.length) : `\n${' '.repeat(40)}`;
      return `  ${name}${gap}${spec.help}; default ${spec.fallback}`;
    })
    .join('\n');
}
