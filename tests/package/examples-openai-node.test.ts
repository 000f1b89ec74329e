import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { msUntilCanceled } from '../browser/sample-page.ts';
import {
  ANSWER,
  FIRST_HALF,
  startModel,
  type Behavior,
  type StandInModel,
} from '../samples/support/model.ts';
import type { Command } from './commands.ts';
import { installExample, type Example } from './example.ts';

describe('examples/openai-node', () => {
  let example: Example;
  let model: StandInModel;
  let command: Command;

  beforeAll(async () => {
    [example, model] = await Promise.all([installExample('openai-node'), startModel()]);
  });
  afterAll(async () => {
    await model?.close();
    await example?.remove();
  });
  afterEach(async () => {
    await command.stop();
    model.finish();
    model.reset();
  });

  const start = (question?: string): Command =>
    (command = example.start({ OPENAI_BASE_URL: model.url }, question === undefined ? '' : ` '${question}'`));

  it('is killed in the middle of the answer, started again, and prints the whole answer of one call', async () => {
    model.behavior = 'slow';
    start();
    await command.printed(new RegExp(`${FIRST_HALF}[^]*Starting it again[^]*${FIRST_HALF}`));
    model.finish();
    expect(await command.exited).toBe(0);
    expect(command.output()).toContain(ANSWER);
    expect(model.calls).toHaveLength(1);
    expect(model.calls[0]).toMatchObject({ authorization: 'Bearer sk-...' });
    const kept = await readFile(join(example.folder, 'answers.local.json'), 'utf8');
    expect(kept).not.toContain('sk-...');
  });

  it('ends the model’s request at Ctrl+C', async () => {
    model.behavior = 'slow';
    start();
    await command.printed(new RegExp(`Starting it again[^]*${FIRST_HALF}`));
    command.signal('SIGINT');
    expect(await msUntilCanceled(model, 0)).toBeLessThan(1000);
    await command.exited;
    expect(command.output()).toContain('Stopped.');
  });

  it.each<Behavior>([401, 429, 500, 'breaks', 'short'])(
    'reports an error when the model answers %s, and asks again at the next start',
    async (behavior) => {
      model.behavior = behavior;
      expect(await start().exited).toBe(1);
      expect(command.output()).toMatch(/\d{3} |incomplete|failed|upstream|broke/i);
      model.behavior = 'ok';
      expect(await start().exited).toBe(0);
      expect(command.output()).toContain(ANSWER);
    },
  );

  it('prints one line if OPENAI_API_KEY is not set', async () => {
    command = example.run('node start.mjs', { OPENAI_BASE_URL: model.url });
    expect(await command.exited).toBe(1);
    expect(command.output()).toBe('OPENAI_API_KEY is not set. Start with: OPENAI_API_KEY=sk-... npm start\n');
    expect(model.calls).toEqual([]);
  });

  it('does not send a blank question', async () => {
    expect(await start('  ').exited).toBe(2);
    expect(command.output()).toContain('Usage');
    expect(model.calls).toEqual([]);
  });
});
