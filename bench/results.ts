import { figure, type Figure } from './statistics.ts';
import {
  LOST,
  type Round,
  type Target,
  type TargetResult,
  type ValueOf,
  type Work,
  type WorkResult,
} from './work.ts';

/** Summarizes the rounds of a work. An invalid round of a subject is excluded and reported. */
export function resultOf(work: Work, rounds: readonly Round[]): WorkResult {
  const subjects = [...new Set(rounds.flatMap((round) => Object.keys(round)))];
  const figures: Record<string, Record<string, Figure>> = {};
  for (const subject of subjects) {
    const valid = rounds.flatMap((round) => {
      const measured = round[subject];
      return measured && measured.fault === undefined ? [measured.values] : [];
    });
    if (valid.length === 0) continue;
    figures[subject] = Object.fromEntries(
      work.metrics
        .map(({ key }) => [key, valid.map((values) => values[key]).filter((value) => value !== undefined)])
        .filter(([, values]) => values!.length > 0)
        .map(([key, values]) => [key, figure(values as number[])]),
    ) as Record<string, Figure>;
  }
  const voids = rounds.flatMap((round, at) =>
    Object.entries(round).flatMap(([subject, { fault }]) =>
      fault === undefined ? [] : [`round ${at + 1}, ${subject}: ${fault}`],
    ),
  );
  const { name, title, metrics } = work;
  const targets = work.targets.map((target) => check(target, rounds));
  return { name, title, metrics, rounds, figures, voids, targets };
}

function check({ text, value, limit, compare }: Target, rounds: readonly Round[]): TargetResult {
  const values = rounds.map((round) => value(valueOf(round))).filter((each) => !Number.isNaN(each));
  const of = figure(values);
  const over = limit === 0 ? of.median : of.median / limit - 1;
  const share = compare === 'at most' ? over : -over;
  return { text, limit, compare, figure: of, reached: share <= 0, missedBy: Math.max(0, share) };
}

function valueOf(round: Round): ValueOf {
  return (subject, metric) => {
    const measured = round[subject];
    const lost = measured?.fault !== undefined;
    if (metric === LOST) return lost ? 1 : 0;
    return lost ? NaN : (measured?.values[metric] ?? NaN);
  };
}
