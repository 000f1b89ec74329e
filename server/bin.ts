#!/usr/bin/env node
import { createRequire } from 'node:module';
import { parseCommand } from './cli/arguments.ts';
import { HELP } from './cli/help.ts';
import { UsageError } from './cli/usage-error.ts';

/** Runs the command and gives its exit code: 0 well, 1 failed, 2 cannot be done as written. */
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

// Without a listener, a write fails the process as soon as the reader of its output ends: `durable-proxy | head -1`
// (EPIPE). The server continues; only its log is lost.
for (const output of [process.stdout, process.stderr]) output.on('error', () => undefined);

try {
  // Nothing may hold an ended command back, such as a socket that a library keeps for later.
  process.exit(await main());
} catch (error) {
  if (error instanceof UsageError || (error instanceof Error && error.name === 'ConfigurationError')) {
    process.stderr.write(`durable-proxy: ${error.message}\nSee durable-proxy --help.\n`);
    process.exit(2);
  }
  process.stderr.write(`durable-proxy: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
