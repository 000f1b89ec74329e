import { describe, expect, it } from 'vitest';
import { jsonLogger } from './json-logger.ts';
import type { LogLevel } from './arguments.ts';

function collect(level: LogLevel) {
  const lines: string[] = [];
  return { logger: jsonLogger(level, (line) => lines.push(line)), lines };
}

describe('jsonLogger', () => {
  it('writes one line per entry in the format of pino', () => {
    const { logger, lines } = collect('info');
    logger.info({ url: 'http://localhost:1' }, 'two\nlines');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^[^\n]+\n$/);
    expect(JSON.parse(lines[0]!)).toEqual({
      level: 30,
      time: expect.any(Number) as number,
      url: 'http://localhost:1',
      msg: 'two\nlines',
    });
  });

  it('omits entries below its level', () => {
    const { logger, lines } = collect('warn');
    logger.debug({}, 'no');
    logger.info({}, 'no');
    logger.warn({}, 'yes');
    logger.error({}, 'yes');
    expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(['yes', 'yes']);
    const silent = collect('silent');
    silent.logger.error({}, 'no');
    expect(silent.lines).toEqual([]);
  });

  it('writes the code and the cause of an error', () => {
    const { logger, lines } = collect('info');
    const cause = Object.assign(new Error('no route'), { code: 'EHOSTUNREACH' });
    logger.error({ err: new TypeError('fetch failed', { cause }) }, 'failed');
    expect(JSON.parse(lines[0]!)).toMatchObject({
      err: {
        type: 'TypeError',
        message: 'fetch failed',
        cause: { code: 'EHOSTUNREACH', message: 'no route' },
      },
    });
  });
});
