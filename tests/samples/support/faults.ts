import type { Behavior } from './model.ts';

/** How a model fails. Every sample that talks to a model is tested with each of them. */
export interface Fault {
  readonly behavior: Behavior;
  /** Completes the sentence "when the model …". */
  readonly title: string;
}

export const FAULTS: readonly Fault[] = [
  { behavior: 401, title: 'answers 401' },
  { behavior: 429, title: 'answers 429' },
  { behavior: 500, title: 'answers 500' },
  { behavior: 'breaks', title: 'closes the connection within the answer' },
  { behavior: 'short', title: 'ends its answer cleanly, but too early' },
];

/** The faults of an upstream that sends plain text, whose early end looks like its end. */
export const TEXT_FAULTS = FAULTS.filter(({ behavior }) => behavior !== 'short');
