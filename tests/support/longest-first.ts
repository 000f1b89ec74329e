import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Parts of the paths of test files that take long, the longest first. */
const LONGEST = [
  'package/nextjs-server',
  'package/examples-nextjs',
  'package/bundled',
  'package/types',
  'package/examples',
  'package/install',
  'package/entries',
  'browser/samples-hooks',
  'browser/demo.test',
  'several/',
  'conformance/',
  'samples/frameworks',
  'samples/servers',
  'server/recovery.test',
  'durable-streams/contract',
  'coordination/',
];

const rankOf = ({ moduleId }: TestSpecification): number => {
  const rank = LONGEST.findIndex((part) => moduleId.includes(part));
  return rank === -1 ? LONGEST.length : rank;
};

/**
 * Runs the files that take longest first, so that no worker is left with a long one at the end. Vitest does so by the
 * durations of earlier runs, which a new clone does not have.
 */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => rankOf(a) - rankOf(b));
  }
}
