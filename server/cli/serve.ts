import { createProxyServer, type ProxyEvent, type StreamStore } from 'durable-proxy';
import type { ServeCommand } from './arguments.ts';
import { jsonLogger } from './json-logger.ts';
import { UsageError } from './usage-error.ts';

/** Events that are logged at the level `info`. All others are logged at `debug`. */
const LOGGED: ReadonlySet<ProxyEvent['type']> = new Set([
  'created',
  'replayed',
  'closed',
  'aborted',
  'recovered',
  'released',
  'cancel-failed',
  'refused',
]);

/**
 * Runs the server until SIGTERM or SIGINT, and resolves when it has drained. A second signal ends the process at once.
 */
export async function serve(command: ServeCommand): Promise<void> {
  const logger = jsonLogger(command.logLevel, (line) => process.stdout.write(line));
  const server = await createProxyServer({
    ...command.options,
    ...(command.redis !== undefined && { store: await openRedis(command.redis) }),
    logger,
    onEvent: ({ type, ...fields }) => logger[LOGGED.has(type) ? 'info' : 'debug'](fields, type),
  });
  const { allowlist } = command.options;
  logger.info({ url: server.url, allowlist }, 'listening');
  if (allowlist?.length === 0) logger.warn({}, 'no --allow was given: every upstream is refused');

  const signal = await stopSignal();
  logger.info({ signal, drainMs: command.drainMs }, 'draining');
  await server.stop({ drainMs: command.drainMs });
  logger.info({}, 'stopped');
}

function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const signals = ['SIGTERM', 'SIGINT'] as const;
    const stop = (signal: NodeJS.Signals): void => {
      // After this, the next signal has its default effect.
      for (const each of signals) process.off(each, stop);
      resolve(signal);
    };
    for (const each of signals) process.on(each, stop);
  });
}

async function openRedis(url: string): Promise<StreamStore> {
  try {
    await import('redis');
  } catch (cause) {
    throw new UsageError('--redis requires the redis package: npm install redis', {
      cause,
    });
  }
  const { redisStore } = await import('durable-proxy/redis');
  return redisStore({ url });
}
