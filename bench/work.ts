import type { Agent } from 'undici';
import type { Peer, PeerName } from './peers/index.ts';
import type { Figure } from './statistics.ts';

/** A metric of each subject of a work. */
export interface Metric {
  readonly key: string;
  /** The column's title, with the unit. */
  readonly title: string;
  readonly digits: number;
}

/** Result of one round for one subject: a value for each metric, by its key. */
export interface Measured {
  readonly values: Readonly<Record<string, number>>;
  /** Why the round is invalid for this subject. */
  readonly fault?: string | undefined;
}

/** Result of one round for each subject (usually a peer). */
export type Round = Readonly<Record<string, Measured>>;

/** Looks up a value of a round; NaN where the round is void. The metric `LOST` is 1 there, and 0 elsewhere. */
export type ValueOf = (subject: string, metric: string) => number;

export const LOST = 'lost';

/** A target value. */
export interface Target {
  readonly text: string;
  /** The compared value of one round. The median of all rounds counts. */
  readonly value: (of: ValueOf) => number;
  readonly limit: number;
  readonly compare: 'at most' | 'at least';
}

/** Environment of a work. */
export interface Bench {
  /** The upstream's URL. */
  readonly upstream: string;
  /** The connections of the readers. */
  readonly agent: Agent;
  /** A peer that runs as long as the benchmark does. */
  peer(name: PeerName): Promise<Peer>;
  /** Starts a peer for one round. The caller stops it. */
  freshPeer(name: PeerName): Promise<Peer>;
  /** Counts the rounds of a work, from 0. */
  readonly round: number;
}

export interface Work {
  /** Name for `--only`. */
  readonly name: string;
  readonly title: string;
  readonly metrics: readonly Metric[];
  readonly targets: readonly Target[];
  /** True if each round starts and warms up its own servers, so that no round runs before the measured ones. */
  readonly warmsUp?: boolean;
  /** Runs one round over all subjects, in an order that differs from round to round. */
  run(bench: Bench): Promise<Round>;
  /** Releases resources shared by the rounds. */
  cleanUp?(): Promise<void>;
}

export interface WorkResult {
  readonly name: string;
  readonly title: string;
  readonly metrics: readonly Metric[];
  readonly rounds: readonly Round[];
  readonly figures: Readonly<Record<string, Readonly<Record<string, Figure>>>>;
  readonly voids: readonly string[];
  readonly targets: readonly TargetResult[];
}

export interface TargetResult {
  readonly text: string;
  readonly limit: number;
  readonly compare: Target['compare'];
  readonly figure: Figure;
  readonly reached: boolean;
  /** Share of the limit by which the target was missed; 0 if it was reached. */
  readonly missedBy: number;
}

/** Returns the subjects, starting each round with another one, so that the cost of neighbors is shared. */
export function inTurn<T>(subjects: readonly T[], round: number): T[] {
  const first = round % Math.max(1, subjects.length);
  return [...subjects.slice(first), ...subjects.slice(0, first)];
}

/** Runs one round, a peer after the other. */
export async function eachPeer(
  bench: Bench,
  names: readonly PeerName[],
  measure: (peer: Peer) => Promise<Measured>,
): Promise<Round> {
  const round: Record<string, Measured> = {};
  for (const name of inTurn(names, bench.round)) {
    const peer = await bench.peer(name);
    try {
      round[name] = await measure(peer);
    } catch (error) {
      round[name] = { values: {}, fault: String(error) };
    }
  }
  return round;
}
