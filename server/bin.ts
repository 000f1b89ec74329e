#!/usr/bin/env node
import { createRequire } from 'node:module';
import { parseCommand } from './cli/arguments.ts';
import { HELP } from './cli/help.ts';
import { UsageError } from './cli/usage-error.ts';

/** Runs the command. Resolves with its exit code: 0 for success, 1 for a failure, 2 for invalid arguments. */
async function main(): Promise<number> {
  const command = parseCommand(process.argv.slice(2), process.env);
  switch (command.kind) {
    case 'help':
      process.stdout.write(HELP);
      return 0;
    case 'version': {
      const { version } = createRequire(import.meta.url)('durable-proxy/package.json') as { version: string };
      process.stdout.write(`${version}\n`);
      return 0;
    }
    case 'conformance': {
      const { runConformanceCommand } = await import('durable-proxy/conformance');
      return runConformanceCommand(command.args);
    }
    case 'serve': {
      const { serve } = await import('./cli/serve.ts');
      await serve(command);
      return 0;
    }
  }
}

// Without an error listener, a write fails the process (EPIPE) when the other end of the output is closed, for example
// by `durable-proxy | head -1`. The server continues without its log.
for (const output of [process.stdout, process.stderr]) output.on('error', () => undefined);

try {
  // Exits explicitly, because a library may keep sockets open.
  process.exit(await main());
} catch (error) {
  if (error instanceof UsageError || (error instanceof Error && error.name === 'ConfigurationError')) {
    process.stderr.write(`durable-proxy: ${error.message}\nSee durable-proxy --help.\n`);
    process.exit(2);
  }
  process.stderr.write(`durable-proxy: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
