import type { ConformanceResult, TestResult } from './types.ts';

const MARKS = { passed: '✓', failed: '✗', skipped: '–' } as const;

/** Formats the result as text: section by section, with details of failures at the end. */
export function renderReport(result: ConformanceResult): string {
  const lines: string[] = [];
  let section: string | undefined;
  for (const test of result.tests) {
    if (test.section !== section) {
      section = test.section;
      lines.push('', section);
    }
    lines.push(`  ${MARKS[test.status]} ${test.title}${note(test)}`);
  }
  const failures = result.tests.filter(({ status }) => status === 'failed');
  for (const { title, reason = '' } of failures) {
    lines.push('', `✗ ${title}`);
    for (const line of reason.split('\n')) lines.push(`    ${line}`);
  }
  const { passed, failed, skipped, milliseconds, extensions, url } = result;
  lines.push(
    '',
    url,
    `extensions: ${extensions.join(', ') || 'none'}`,
    `${passed} passed, ${failed} failed, ${skipped} skipped in ${(milliseconds / 1000).toFixed(1)} s`,
    '',
  );
  return lines.join('\n');
}

function note({ status, reason, milliseconds }: TestResult): string {
  if (status === 'skipped') return ` (${reason ?? 'skipped'})`;
  return milliseconds > 1_000 ? ` (${(milliseconds / 1000).toFixed(1)} s)` : '';
}
