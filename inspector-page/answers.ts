import type { AnswerRow } from '../server/inspector/wire/types.ts';
import type { Feed } from './feed.ts';

/** A row of the table. */
export interface Answer extends AnswerRow {
  readonly process: string;
  /** Milliseconds from the start to the end, or until now. */
  readonly ageMs: number;
}

export const SORT_KEYS = [
  'state',
  'startedAt',
  'subject',
  'upstream',
  'bytes',
  'ageMs',
  'readers',
  'recoveries',
  'usage',
] as const;
export type SortKey = (typeof SORT_KEYS)[number];

export interface Filter {
  subject: string;
  key: string;
  /** `''` for all, `running`, or an outcome. */
  state: string;
  upstream: string;
}

export interface Sorting {
  key: SortKey;
  isDescending: boolean;
}

/** Returns the answers of all processes, each once: an answer that was adopted is shown at its last process. */
export function answersOf(feed: Feed): Map<string, Answer> {
  const answers = new Map<string, Answer>();
  const now = feed.now;
  for (const [process, { rows }] of feed.states) {
    for (const row of rows.values()) {
      const known = answers.get(row.id);
      if (known && known.startedAt > row.startedAt) continue;
      answers.set(row.id, { ...row, process, ageMs: (row.endedAt ?? now) - row.startedAt });
    }
  }
  for (const { elsewhere } of feed.states.values()) {
    for (const [id, readers] of Object.entries(elsewhere)) {
      const answer = answers.get(id);
      if (answer) answers.set(id, { ...answer, readers: answer.readers + readers });
    }
  }
  return answers;
}

export function matches(answer: Answer, { subject, key, state, upstream }: Filter): boolean {
  return (
    (state === '' || stateOf(answer) === state) &&
    contains(answer.subject, subject) &&
    contains(answer.upstream, upstream) &&
    (key === '' || [answer.id, answer.idempotencyKey, answer.streamKey].some((each) => contains(each, key)))
  );
}

/** Returns the outcome, or `running`. */
export function stateOf({ outcome }: Pick<AnswerRow, 'outcome'>): string {
  return outcome ?? 'running';
}

/** Sorts in place. Equal answers are in the order of their start, newest first. */
export function sortAnswers(answers: Answer[], { key, isDescending }: Sorting): Answer[] {
  const direction = isDescending ? -1 : 1;
  return answers.sort(
    (a, b) => direction * compare(valueOf(a, key), valueOf(b, key)) || b.startedAt - a.startedAt || b.n - a.n,
  );
}

function valueOf(answer: Answer, key: SortKey): number | string {
  if (key === 'state') return stateOf(answer);
  if (key === 'usage') return (answer.usage?.inputTokens ?? 0) + (answer.usage?.outputTokens ?? 0);
  return answer[key] ?? '';
}

function compare(a: number | string, b: number | string): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0;
}

function contains(text: string | undefined, wanted: string): boolean {
  return wanted === '' || (text?.toLowerCase().includes(wanted.toLowerCase()) ?? false);
}
