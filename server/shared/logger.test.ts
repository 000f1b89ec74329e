import { expect, it } from 'vitest';
import { faultLogger } from './logger.ts';

it('prints rejected upstream URLs, at most 20 per minute, and only warnings about the configuration', () => {
  const printed: string[] = [];
  let now = 0;
  const logger = faultLogger(
    (text) => printed.push(text),
    () => now,
  );
  const refuse = (path: number) => logger.warn({ code: 'UPSTREAM_NOT_ALLOWED' }, `refused /${path}`);
  for (let i = 0; i < 50; i += 1) refuse(0);
  expect(printed).toEqual(['durable-proxy: refused /0']);
  for (let i = 1; i < 200; i += 1) refuse(i);
  logger.warn({ code: 'SOMETHING_ELSE' }, 'quiet');
  expect(printed).toHaveLength(20);
  now = 60_000;
  refuse(200);
  expect(printed).toHaveLength(21);
});

it('prints an error with its stack, the same one once per minute, and no errors of upstreams', () => {
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
