import { expect, it } from 'vitest';
import { faultLogger } from './logger.ts';

it('prints a fault with its stack, the same one once a minute, and nothing of upstreams', () => {
  const printed: string[] = [];
  let now = 0;
  const logger = faultLogger(
    (text) => printed.push(text),
    () => now,
  );
  const err = new Error('no database');
  for (let i = 0; i < 5; i += 1)
    logger.error({ err, code: 'INTERNAL_ERROR' }, 'The session could not be checked');
  logger.error({ err: new Error('another') }, 'The session could not be checked');
  logger.error({ code: 'UPSTREAM_TIMEOUT' }, 'slow');
  logger.warn({}, 'quiet');
  expect(printed).toHaveLength(2);
  expect(printed[0]).toContain(
    'durable-proxy: The session could not be checked\nError: no database\n    at ',
  );
  now = 60_000;
  logger.error({ err }, 'The session could not be checked');
  expect(printed[2]).toContain('(and 4 times more)');
});
