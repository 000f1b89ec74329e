import { loadavg, cpus, totalmem } from 'node:os';
import type { Figure } from './statistics.ts';
import type { TargetResult, WorkResult } from './work.ts';

/** The machine of the measurements. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly node: string;
  /** Load average of the last minute, at the beginning and at the end. */
  readonly load: readonly [number, number];
}

export function machine(loadAtStart: number): Machine {
  const [first] = cpus();
  return {
    cpu: first?.model ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    load: [loadAtStart, loadavg()[0]!],
  };
}

/** Formats a work as a Markdown table with a row for each subject, then its targets and its void rounds. */
export function describeWork({ title, metrics, figures, targets, voids }: WorkResult): string {
  const header = ['', ...metrics.map((metric) => metric.title)];
  const rows = Object.entries(figures).map(([subject, values]) => [
    subject,
    ...metrics.map(({ key, digits }) => (values[key] ? describeFigure(values[key], digits) : '–')),
  ]);
  return [
    `## ${title}`,
    '',
    table([header, ...rows]),
    '',
    ...targets.map((target) => `- ${describeTarget(target)}`),
    ...voids.map((each) => `- VOID ${each}`),
    '',
  ].join('\n');
}

function describeFigure({ median, low, high }: Figure, digits: number): string {
  return `${median.toFixed(digits)} (${low.toFixed(digits)}–${high.toFixed(digits)})`;
}

function describeTarget({ text, limit, figure, reached, missedBy }: TargetResult): string {
  const { median, low, high } = figure;
  if (Number.isNaN(median)) return `NOT MEASURED  ${text}`;
  const digits = limit >= 100 ? 0 : 2;
  const verdict = reached ? 'reached' : `MISSED by ${(missedBy * 100).toFixed(0)} %`;
  return `${verdict}  ${text}: ${median.toFixed(digits)} (${low.toFixed(digits)}–${high.toFixed(digits)})`;
}

/** Formats rows, the first of which is the header, as a Markdown table. Numbers are on the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) =>
    rows.reduce((width, row) => Math.max(width, row[column]!.length), 0),
  );
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join(' | ')} |`;
  const rule = `| ${widths.map((width, at) => '-'.repeat(width - (at === 0 ? 0 : 1)) + (at === 0 ? '' : ':')).join(' | ')} |`;
  return [line(rows[0]!), rule, ...rows.slice(1).map(line)].join('\n');
}
