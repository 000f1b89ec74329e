import { describe, expect, it, vi } from 'vitest';
import { drain, UPSTREAM, useRig } from '../tests/client/support.ts';

const rig = useRig();

/** Reads an answer over four connections with the option `debug`, and returns the lines. */
async function linesOf(init = {}, options = {}): Promise<string[]> {
  const lines: string[] = [];
  rig.standIn.upstream = (stream) => void stream.push('one ', 'two ', 'three').close();
  rig.standIn.faults.create.push('after-control');
  rig.standIn.faults.read.push('before-request', { status: 503, headers: { 'retry-after': '0' } });
  const call = rig.client({ debug: (line) => void lines.push(line), ...options });
  const response = await call(UPSTREAM, { body: 'x', ...init });
  expect(response.streamUrl).toContain('signature=');
  expect((await drain(response)).text).toBe('one two three');
  return lines;
}

describe('the option debug', () => {
  it('reports one line for each change of state and each attempt', async () => {
    const call = 'durable-proxy: POST https://api.example.com/v1/chat';
    expect(await linesOf()).toEqual([
      `${call} idle -> creating {"attempt":0}`,
      `${call} creating -> streaming {"attempt":0}`,
      `${call} streaming -> reconnecting {"offset":"o00000001","attempt":0,"error":"TypeError"}`,
      `${call} reconnecting -> reconnecting {"offset":"o00000001","attempt":1,"error":"TypeError"}`,
      `${call} reconnecting -> reconnecting {"offset":"o00000001","attempt":2,"error":"INVALID_RESPONSE"}`,
      `${call} reconnecting -> streaming {"offset":"o00000001","attempt":2,"error":"INVALID_RESPONSE"}`,
      `${call} streaming -> streaming {"offset":"o00000002","attempt":0}`,
      `${call} streaming -> complete {"offset":"o00000003","attempt":0,"outcome":"complete"}`,
    ]);
  });

  it('contains no query, no signature, no credential and no error message', async () => {
    const secret = 'service-secret';
    rig.standIn.secret = secret;
    const attempts = { count: 0 };
    const leaky: typeof fetch = (input, init) => {
      // Custom implementations of fetch put URLs and headers into messages.
      if (attempts.count++ === 1)
        return Promise.reject(new Error(`Failed: ${JSON.stringify([input, init])}`));
      return fetch(input, init);
    };
    const lines = await linesOf(
      { headers: { authorization: 'Bearer upstream-key' } },
      { proxyAuthorization: secret, fetch: leaky },
    );
    expect(lines.length).toBeGreaterThan(5);
    const text = lines.join('\n');
    for (const word of ['hidden', 'signature', 'expires', secret, 'upstream-key', 'Bearer', 'Failed', '?'])
      expect(text).not.toContain(word);
  });

  it('writes to console.log if it is true', async () => {
    const log = vi.spyOn(console, 'log').mockReturnValue();
    await (await rig.client({ debug: true })(UPSTREAM)).text();
    expect(log.mock.calls.map(([line]) => line as string)).toContainEqual(
      expect.stringMatching(/^durable-proxy: GET .* -> complete/),
    );
  });

  it('does not affect the answer if the function throws', async () => {
    const reported: unknown[] = [];
    const queue = queueMicrotask;
    vi.stubGlobal('queueMicrotask', (task: () => void) =>
      queue(() => {
        try {
          task();
        } catch (error) {
          reported.push(error);
        }
      }),
    );
    const debug = () => {
      throw new Error('a broken logger');
    };
    expect(await (await rig.client({ debug })(UPSTREAM)).text()).toBe('hello');
    expect(reported[0]).toMatchObject({ message: 'a broken logger' });
  });
});
