import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe } from 'vitest';

/** Programs that some tests require in addition to npm packages, and how to install them on Debian. */
const REQUIREMENTS = {
  // Without a user interface to render, tests take half the CPU.
  browser: {
    commands: ['chromium-headless-shell', 'chromium'],
    install: 'sudo apt-get install -y chromium-headless-shell',
  },
  chromium: { commands: ['chromium'], install: 'sudo apt-get install -y chromium' },
  'redis-server': { commands: ['redis-server'], install: 'sudo apt-get install -y redis-server' },
  // On Debian 12, it is in the backports.
  'valkey-server': { commands: ['valkey-server'], install: 'sudo apt-get install -y valkey-server' },
  promtool: { commands: ['promtool'], install: 'sudo apt-get install -y prometheus' },
  nginx: { commands: ['nginx'], install: 'sudo apt-get install -y nginx-light' },
} as const;

export type Requirement = keyof typeof REQUIREMENTS;

/** Returns the path of an installed program, or undefined. */
export function findCommand(name: Requirement): string | undefined {
  const { commands } = REQUIREMENTS[name];
  // Debian installs servers in /usr/sbin, which the PATH of other users than root may lack.
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin'];
  return commands
    .flatMap((command) => folders.map((folder) => join(folder, command)))
    .find((path) => existsSync(path));
}

/** Returns the path of a command that `needs` has checked. */
export function commandPath(name: Requirement): string {
  const path = findCommand(name);
  if (path === undefined) throw new Error(`no ${name} here: ${REQUIREMENTS[name].install}`);
  return path;
}

/**
 * Returns a `describe` for tests that require a program. Without it, they are skipped, with the install command in the
 * title. With `CI=true`, a missing program is a failure.
 */
export function needs(name: Requirement): (title: string, suite: () => void) => void {
  return (title, suite) => {
    if (findCommand(name) !== undefined || process.env['CI'] === 'true') describe(title, suite);
    else describe.skip(`${title} (needs ${name}: ${REQUIREMENTS[name].install})`, suite);
  };
}
