import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe } from 'vitest';

/** What some tests need beyond npm packages, and how a Debian machine gets it. */
const REQUIREMENTS = {
  chromium: { command: 'chromium', install: 'sudo apt-get install -y chromium' },
  'redis-server': { command: 'redis-server', install: 'sudo apt-get install -y redis-server' },
  // On Debian 12 it is among the backports.
  'valkey-server': { command: 'valkey-server', install: 'sudo apt-get install -y valkey-server' },
  promtool: { command: 'promtool', install: 'sudo apt-get install -y prometheus' },
} as const;

export type Requirement = keyof typeof REQUIREMENTS;

/** The path of a command of the machine, or undefined when it has none. */
export function findCommand(name: Requirement): string | undefined {
  const { command } = REQUIREMENTS[name];
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, command))
    .find((path) => existsSync(path));
}

/** The path of a command that a suite under `needs` may count on. */
export function commandPath(name: Requirement): string {
  const path = findCommand(name);
  if (path === undefined) throw new Error(`no ${name} here: ${REQUIREMENTS[name].install}`);
  return path;
}

/**
 * A `describe` for tests that need a program of the machine. Without it they are skipped, and the title
 * says how to install it; with `CI=true` its absence fails, so that nothing is skipped unseen.
 */
export function needs(name: Requirement): (title: string, suite: () => void) => void {
  return (title, suite) => {
    if (findCommand(name) !== undefined || process.env['CI'] === 'true') describe(title, suite);
    else describe.skip(`${title} (needs ${name}: ${REQUIREMENTS[name].install})`, suite);
  };
}
