import { afterEach, describe, expect, it } from 'vitest';
import { createDurableFetch } from '../../core-client/index.ts';
import { FORMAT_ANSWERS } from '../support/format-answers.ts';
import { SECRET, startProxy } from '../support/proxy.ts';
import { startUpstream, write } from '../support/upstream.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Returns the response to a call whose upstream sends these events, then ends. */
async function answerOf(headers: Readonly<Record<string, string>>, text: string) {
  const upstream = await startUpstream(({ res }) => {
    res.writeHead(200, headers);
    void write(res, text).then(() => res.end());
  });
  const proxy = await startProxy();
  cleanups.push(
    () => upstream.close(),
    () => proxy.stop({ drainMs: 0 }),
  );
  const durableFetch = createDurableFetch({ proxyUrl: proxy.base, proxyAuthorization: SECRET });
  return durableFetch(`${upstream.url}/answer`, { body: '{}' });
}

describe.each(FORMAT_ANSWERS)(
  'an answer in the format $format',
  ({ headers, events, whole, usage, error }) => {
    it('exposes its usage in response.usage', async () => {
      const response = await answerOf(headers, events.join(''));
      await response.text();
      expect(await response.usage).toEqual(usage);
      expect(await response.outcome).toBe('complete');
    });

    it('[CLIENT-13] ends without a client error if the provider reported an error in it', async () => {
      const text = events.slice(0, whole - 1).join('') + error;
      const response = await answerOf(headers, text);
      expect(await response.text()).toBe(text);
      expect(await response.outcome).toBe('upstream-error');
    });

    it('fails with the outcome truncated if the upstream ends it early', async () => {
      const response = await answerOf(headers, events.slice(0, whole - 1).join(''));
      await expect(response.text()).rejects.toMatchObject({
        code: 'UPSTREAM_TRUNCATED',
        outcome: 'truncated',
      });
      expect(await response.outcome).toBe('truncated');
    });
  },
);

it('resolves usage to undefined for an answer without a known format', async () => {
  const response = await answerOf({ 'content-type': 'text/plain' }, 'hello');
  expect(await response.text()).toBe('hello');
  expect(await response.usage).toBeUndefined();
});
