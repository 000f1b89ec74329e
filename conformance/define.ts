import type { Context } from './context.ts';
import type { Extension, SectionName } from './types.ts';

export interface TestOptions {
  /** Skipped where the server lacks one of these. */
  readonly needs?: readonly Extension[];
  /** Moves much, or waits for a time that the server chose: started first, with a longer limit. */
  readonly slow?: boolean;
}

export interface ConformanceTest extends TestOptions {
  readonly title: string;
  readonly requirements: readonly string[];
  readonly run: (t: Context) => Promise<void>;
}

export interface Section {
  readonly name: SectionName;
  readonly tests: readonly ConformanceTest[];
}

/** Ids in square brackets, as docs/PROTOCOL.md numbers them. */
const REQUIREMENT = /\[([A-Z]+-\d+)\]/g;

/** @param title begins with the ids of the requirements that the test is about: `[READ-3][READ-4] …`. */
export function test(
  title: string,
  run: (t: Context) => Promise<void>,
  options: TestOptions = {},
): ConformanceTest {
  const requirements = [...title.matchAll(REQUIREMENT)].map(([, id = '']) => id);
  return { title, requirements, run, ...options };
}

/** Tests of one part of the protocol, all of which need these extensions. */
export function section(
  name: SectionName,
  tests: readonly ConformanceTest[],
  needs: readonly Extension[] = [],
): Section {
  return { name, tests: tests.map((each) => ({ ...each, needs: [...needs, ...(each.needs ?? [])] })) };
}
