import { createProxyServer, type ProxyEvent, type StreamStore } from 'durable-proxy';
import type { ServeCommand } from './arguments.ts';
import { jsonLogger } from './json-logger.ts';
import { UsageError } from './usage-error.ts';

/** What happens to answers; the rest (each read, each first byte) is for `--log-level debug`. */
const NEWS: ReadonlySet<ProxyEvent['type']> = new Set([
  'created',
  'replayed',
  'closed',
  'aborted',
  'recovered',
  'cancel-failed',
  'refused',
]);

/** Runs the server until SIGTERM or SIGINT, and resolves when it has drained. A second signal ends at once. */
export async function serve(command: ServeCommand): Promise<void> {
  const logger = jsonLogger(command.logLevel, (line) => process.stdout.write(line));
  const server = await createProxyServer({
    ...command.options,
    ...(command.redis !== undefined && { store: await openRedis(command.redis) }),
    logger,
    onEvent: ({ type, ...fields }) => logger[NEWS.has(type) ? 'info' : 'debug'](fields, type),
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
      // Without our listeners the next signal has its usual effect.
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
    throw new UsageError('--redis needs the redis package beside durable-proxy: npm install redis', {
      cause,
    });
  }
  const { redisStore } = await import('durable-proxy/redis');
  return redisStore({ url });
}
