import { inspect } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { UPSTREAM_AUTHORIZATION } from '../../protocol/headers.ts';
import {
  createServiceToken,
  embeddedStore,
  StoreError,
  type Logger,
  type ProxyServerOptions,
} from '../../server/index.ts';
import { SECRET, startProxy, temporaryFolder } from '../support/proxy.ts';
import { startUpstream } from '../support/upstream.ts';
import { codeOf, post } from '../support/wire.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  vi.restoreAllMocks();
});

const PROVIDER_KEY = 'sk-the-provider-key-of-the-operator';
const CALLER_KEY = 'sk-the-key-that-the-caller-sent';

/**
 * One fault of each kind. Its text contains the credentials that the function received, as errors of HTTP clients do.
 */
const FAULTS: Record<string, () => Promise<Partial<ProxyServerOptions>>> = {
  prepareUpstream: async () => ({
    prepareUpstream({ headers, req }) {
      headers.set('x-api-key', PROVIDER_KEY);
      const cause = new Error(`request with ${JSON.stringify(Object.fromEntries(headers))} failed`);
      throw Object.assign(new Error(`no tenant for ${req?.headers.authorization}`, { cause }), {
        config: { headers: Object.fromEntries(headers) },
      });
    },
  }),
  authenticate: async () => ({
    acceptJwtSecret: false,
    authenticate(req) {
      throw new Error(`no session for ${req.headers.authorization} (${SECRET})`);
    },
  }),
  store: async () => {
    const { path, remove } = await temporaryFolder();
    const store = embeddedStore({ dataDir: path });
    cleanups.push(remove, () => store.dispose());
    const create = store.create.bind(store);
    // For streams of responses only: the proxy's own logs have other ids.
    store.create = (id, init) =>
      /^[0-9a-f]{8}-/.test(id)
        ? Promise.reject(new StoreError('UNAVAILABLE', `the disk is on fire (${SECRET})`))
        : create(id, init);
    return { store };
  },
};

const WORDS: Record<string, string> = {
  prepareUpstream: 'no tenant for',
  authenticate: 'no session for',
  store: 'the disk is on fire',
};

async function meetFault(fault: string, options: Partial<ProxyServerOptions> = {}): Promise<Response> {
  const upstream = await startUpstream(({ res }) => res.end('x'));
  const proxy = await startProxy({ ...(await FAULTS[fault]!()), ...options });
  cleanups.push(
    () => upstream.close(),
    () => proxy.stop({ drainMs: 0 }),
  );
  return post(proxy, `${upstream.url}/v1`, { headers: { [UPSTREAM_AUTHORIZATION]: `Bearer ${CALLER_KEY}` } });
}

function expectNoCredential(text: string): void {
  for (const secret of [PROVIDER_KEY, CALLER_KEY, SECRET]) expect(text).not.toContain(secret);
}

describe.each(Object.keys(FAULTS))('a fault of %s', (fault) => {
  it('is printed by console.error with its stack, without credentials', async () => {
    const print = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const response = await meetFault(fault);
    expect(response.status).toBeGreaterThanOrEqual(500);
    const printed = print.mock.calls.flat().join('\n');
    expect(printed).toContain(WORDS[fault]);
    expect(printed).toMatch(/\n {4}at /);
    expectNoCredential(printed);
    expectNoCredential(await response.text());
  });

  it('is passed to a logger if there is one, without credentials in any field', async () => {
    const print = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const logged: unknown[][] = [];
    const log = (...entry: unknown[]) => void logged.push(entry);
    const logger: Logger = { debug: log, info: log, warn: log, error: log };
    await meetFault(fault, { logger });
    const text = inspect(logged, { depth: 20, showHidden: true }) + JSON.stringify(logged);
    expect(text).toContain(WORDS[fault]);
    expectNoCredential(text);
    expect(print).not.toHaveBeenCalled();
  });
});

describe('an upstream URL that is not allowed', () => {
  const allowlist = ['https://api.openai.com/v1/**', 'https://api.example.com/v1/chat'];

  async function refuse(url: string, options: Partial<ProxyServerOptions> = {}, token = SECRET) {
    const proxy = await startProxy({ allowlist, ...options });
    cleanups.push(() => proxy.stop({ drainMs: 0 }));
    const response = await post(proxy, url, { headers: { authorization: `Bearer ${token}` } });
    expect(response.status).toBe(403);
    return response;
  }

  it('is printed with similar patterns, without user info and query', async () => {
    const print = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const response = await refuse('https://api.example.com/v2/chat?key=sk-in-the-query');
    expect(await codeOf(response)).toBe('UPSTREAM_NOT_ALLOWED');
    await refuse('https://user:sk-in-the-url@api.open-ai.com/v1/chat');
    const printed = print.mock.calls.flat().join('\n');
    expect(printed).toContain('refused "https://api.example.com/v2/chat": not in the option allowlist');
    expect(printed).toContain('Close patterns: https://api.example.com/v1/chat');
    expect(printed).toContain('refused "https://api.open-ai.com/v1/chat"');
    expect(printed).toContain('Close patterns: https://api.openai.com/v1/**');
    expect(printed).not.toContain('sk-in-the');
  });

  it('is logged as a warning, and the response contains neither URL nor patterns', async () => {
    const print = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const warn = vi.fn();
    const nothing = () => undefined;
    const logger = { debug: nothing, info: nothing, warn, error: nothing };
    const response = await refuse('https://elsewhere.test/x', { logger });
    expect(await response.text()).not.toMatch(/elsewhere|openai/);
    expect(warn).toHaveBeenCalledWith(
      { code: 'UPSTREAM_NOT_ALLOWED', url: 'https://elsewhere.test/x', closest: [] },
      expect.stringContaining('No pattern is similar'),
    );
    expect(print).not.toHaveBeenCalled();
  });

  it('is logged with a reference to the token if its "allow" does not cover it', async () => {
    const print = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const token = await createServiceToken({
      jwtSecret: SECRET,
      subject: 'u',
      expiresInSeconds: 60,
      allow: ['https://api.openai.com/v1/models'],
    });
    await refuse('https://api.openai.com/v1/chat', {}, token);
    const printed = print.mock.calls.flat().join('\n');
    expect(printed).toContain('not in the "allow" of the caller\u2019s token');
    expect(printed).toContain('Close patterns: https://api.openai.com/v1/models');
  });
});
