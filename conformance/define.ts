import type { TestTools } from './test-tools.ts';
import type { Extension, SectionName } from './types.ts';

export interface TestOptions {
  /** Extensions that the test needs. It is skipped if the server lacks one. */
  readonly needs?: readonly Extension[];
  /**
   * True for a test that transfers many bytes or waits for a timeout of the server. It is started first and has a
   * longer limit.
   */
  readonly slow?: boolean;
}

export interface ConformanceTest extends TestOptions {
  readonly title: string;
  readonly requirements: readonly string[];
  readonly run: (t: TestTools) => Promise<void>;
}

export interface Section {
  readonly name: SectionName;
  readonly tests: readonly ConformanceTest[];
}

/** Requirement ids in square brackets, as in docs/PROTOCOL.md. */
const REQUIREMENT = /\[([A-Z]+-\d+)\]/g;

/** @param title begins with the ids of the tested requirements: `[READ-3][READ-4] …`. */
export function test(
  title: string,
  run: (t: TestTools) => Promise<void>,
  options: TestOptions = {},
): ConformanceTest {
  const requirements = [...title.matchAll(REQUIREMENT)].map(([, id = '']) => id);
  return { title, requirements, run, ...options };
}

/** Defines the tests of one part of the protocol. */
export function section(
  name: SectionName,
  tests: readonly ConformanceTest[],
  needs: readonly Extension[] = [],
): Section {
  return { name, tests: tests.map((each) => ({ ...each, needs: [...needs, ...(each.needs ?? [])] })) };
}
