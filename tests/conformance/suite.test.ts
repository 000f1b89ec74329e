import {
  listProxyConformance,
  runConformanceCommand,
  runProxyConformance,
  SECTION_NAMES,
  type ConformanceResult,
  type ProxyTarget,
  type SectionName,
} from 'durable-proxy/conformance';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  IDEMPOTENCY_KEY,
  IDEMPOTENCY_REPLAYED,
  LAST_EVENT_ID,
  STREAM_CURSOR,
  STREAM_SSE_DATA_ENCODING,
  UNREAD_TIMEOUT,
  UPSTREAM_HEADERS,
  UPSTREAM_OUTCOME,
  UPSTREAM_RECOVERIES,
  UPSTREAM_USAGE,
} from '../../protocol/headers.ts';
import { openaiResponsesRecovery, type ProxyServerOptions } from '../../server/index.ts';
import { SECRET, startProxy, type TestProxy } from '../support/proxy.ts';
import { startFront, type Front, type Passing } from './front.ts';

let proxy: TestProxy;
let front: Front | undefined;
beforeAll(async () => {
  proxy = await startProxy({ keepAliveMs: 200, longPollTimeoutMs: 1_000 });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await front?.close();
  front = undefined;
});
afterAll(() => proxy.stop({ drainMs: 0 }));

async function run(
  only: SectionName[],
  spoil: Parameters<typeof startFront>[1] = {},
  more: Partial<ProxyTarget> = {},
): Promise<ConformanceResult> {
  const spoiling = await startFront(proxy.url, spoil);
  try {
    const target = { url: spoiling.url, secret: SECRET, extensions: true };
    return await runProxyConformance({ ...target, only, ...more });
  } finally {
    await spoiling.close();
  }
}

function without(headers: object, name: string): void {
  Reflect.deleteProperty(headers, name.toLowerCase());
}

function foundByHead(passing: Passing): void {
  if (passing.method === 'HEAD') passing.status = 200;
}

function failed({ tests }: ConformanceResult): string[] {
  const ids = tests.filter(({ status }) => status === 'failed').flatMap(({ requirements }) => requirements);
  return [...new Set(ids)].sort();
}

describe('the suite', () => {
  it('has tests in every section, each with a unique title that names requirements', () => {
    const tests = listProxyConformance();
    expect([...new Set(tests.map(({ section }) => section))]).toEqual(SECTION_NAMES);
    const titles = tests.map(({ section, title }) => `${section}: ${title}`);
    expect(new Set(titles).size).toBe(titles.length);
    for (const { title } of tests) expect(title).toMatch(/^(\[[A-Z]+-\d+\])+ \S/);
  });

  it('passes through a front without a fault', async () => {
    const result = await run([
      'read',
      'sse',
      'head',
      'abort',
      'cors',
      'outcomes',
      'idempotency',
      'abort-by-key',
    ]);
    expect(failed(result)).toEqual([]);
    expect(result.passed).toBe(result.tests.length);
  });

  // At the same time: a section mostly waits.
  it.concurrent.each<
    [what: string, section: SectionName, spoil: Parameters<typeof startFront>[1], ids: string[]]
  >([
    [
      'omits that SSE data is base64',
      'sse',
      { answer: ({ headers }) => without(headers, STREAM_SSE_DATA_ENCODING) },
      ['SSE-4'],
    ],
    [
      'reports every end as complete',
      'outcomes',
      {
        answer: ({ headers }) => {
          const name = UPSTREAM_OUTCOME.toLowerCase();
          if (headers[name]) headers[name] = 'complete';
        },
      },
      ['OUT-3', 'OUT-4'],
    ],
    [
      'forgets what a follower has received',
      'follow',
      { request: (headers) => without(headers, LAST_EVENT_ID) },
      ['FOLLOW-4'],
    ],
    [
      'forgets what a reader of compact events has received',
      'compact-events',
      { request: (headers) => without(headers, LAST_EVENT_ID) },
      ['COMPACT-4'],
    ],
    [
      'buffers what a follower gets, and lets caches store it',
      'follow',
      {
        answer: ({ headers }) => {
          without(headers, 'x-accel-buffering');
          without(headers, 'cache-control');
        },
      },
      ['FOLLOW-1'],
    ],
    ['finds whatever it is asked for', 'head', { answer: foundByHead }, ['HEAD-3', 'HEAD-4']],
    [
      'has one ETag for all',
      'read',
      {
        answer: ({ headers }) => {
          if (headers.etag) headers.etag = '"x"';
        },
      },
      ['READ-10'],
    ],
    [
      'hides its headers from pages',
      'cors',
      { answer: ({ headers }) => without(headers, 'access-control-expose-headers') },
      ['CORS-1'],
    ],
    [
      'counts cursors backwards',
      'long-poll',
      {
        answer: ({ headers }) => {
          const name = STREAM_CURSOR.toLowerCase();
          if (headers[name]) headers[name] = '1';
        },
      },
      ['POLL-6'],
    ],
    [
      'does not report a replay',
      'idempotency',
      { answer: ({ headers }) => without(headers, IDEMPOTENCY_REPLAYED) },
      ['IDEM-1', 'IDEM-2', 'IDEM-6'],
    ],
    [
      'takes the end of a connection for the end of an answer',
      'completeness',
      {
        answer: ({ headers }) => {
          const name = UPSTREAM_OUTCOME.toLowerCase();
          if (headers[name] === 'truncated') headers[name] = 'complete';
        },
      },
      ['END-2'],
    ],
    [
      'keeps to itself what an answer cost',
      'completeness',
      { answer: ({ headers }) => without(headers, UPSTREAM_USAGE) },
      ['USAGE-1', 'USAGE-2', 'USAGE-3'],
    ],
    [
      'drops the headers of upstreams',
      'upstream-head',
      { answer: ({ headers }) => void (headers[UPSTREAM_HEADERS.toLowerCase()] &&= '[]') },
      ['RESP-1', 'RESP-2'],
    ],
    [
      'cancels what was sent to the background',
      'unread',
      {
        request: (headers) => {
          const name = UNREAD_TIMEOUT.toLowerCase();
          if (headers[name] === 'infinite') headers[name] = '1';
        },
      },
      ['UNREAD-5'],
    ],
    [
      'takes every Unread-Timeout',
      'unread',
      {
        request: (headers) => {
          const name = UNREAD_TIMEOUT.toLowerCase();
          if (headers[name] && !/^([1-9]\d*|infinite)$/.test(String(headers[name]))) headers[name] = '1';
        },
      },
      ['UNREAD-7'],
    ],
    [
      'accepts an abort of nothing',
      'abort-by-key',
      {
        answer: (passing) => {
          if (passing.status === 400 && passing.method === 'PATCH') passing.status = 204;
        },
      },
      ['ABORT-13'],
    ],
    [
      'sends redirects on',
      'create',
      {
        answer: (passing) => {
          if (passing.status === 400 && passing.method === 'POST') passing.status = 502;
        },
      },
      ['CREATE-5', 'CREATE-8'],
    ],
  ])(
    'finds a server that %s',
    async (_, section, spoil, ids) => {
      expect(failed(await run([section], spoil))).toEqual(expect.arrayContaining(ids));
    },
    120_000,
  );

  const openai = openaiResponsesRecovery();
  it.concurrent.each<[what: string, options: Partial<ProxyServerOptions>, ids: string[]]>([
    [
      'continues nothing',
      { recovery: [] },
      ['RECOVER-1', 'RECOVER-3', 'RECOVER-5', 'RECOVER-6', 'RECOVER-7'],
    ],
    [
      'begins the answer again',
      {
        recovery: [
          { ...openai, resume: ({ request: { url } }) => ({ url, method: 'POST', isRepeated: () => false }) },
        ],
      },
      ['RECOVER-1', 'RECOVER-2'],
    ],
    [
      'stores repeated events',
      {
        recovery: [{ ...openai, resume: ({ request: { url } }) => ({ url: `${url}/resp_1?stream=true` }) }],
      },
      ['RECOVER-1', 'RECOVER-5'],
    ],
    ['stops no provider', { recovery: [{ ...openai, cancel: () => null }] }, ['RECOVER-6']],
    [
      'sends no credentials again',
      {
        recovery: [
          { ...openai, resume: async (stream) => ({ ...(await openai.resume(stream))!, headers: {} }) },
        ],
      },
      ['RECOVER-8'],
    ],
  ])(
    'finds a server that %s',
    async (_, options, ids) => {
      const wrong = await startProxy({ recoveryTimeoutMs: 2_000, ...options });
      try {
        const target = { url: wrong.url, secret: SECRET, extensions: true };
        const result = await runProxyConformance({ ...target, only: ['recovery'] });
        expect(failed(result)).toEqual(expect.arrayContaining(ids));
      } finally {
        await wrong.stop({ drainMs: 0 });
      }
    },
    120_000,
  );

  it('finds a server that does not report recoveries', async () => {
    const spoil = { answer: ({ headers }: Passing) => without(headers, UPSTREAM_RECOVERIES) };
    expect(failed(await run(['recovery'], spoil))).toEqual(['RECOVER-7']);
  });

  it('skips and reports an extension that the server does not have', async () => {
    const spoil = {
      request: (headers: object) => without(headers, IDEMPOTENCY_KEY),
    };
    front = await startFront(proxy.url, spoil);
    const result = await runProxyConformance({
      url: front.url,
      secret: SECRET,
      only: ['idempotency', 'head'],
    });
    expect(result.extensions).toEqual([
      'outcomes',
      'prefer',
      'compact-events',
      'upstream-status',
      'respond-async',
      'upstream-head',
      'recovery',
      'completeness',
      'unread',
      'find',
      'follow',
      'scope',
      'as-upstream',
      'tokens',
    ]);
    expect(result.failed).toBe(0);
    for (const { section, status, reason } of result.tests) {
      if (section === 'idempotency')
        expect([status, reason]).toEqual(['skipped', expect.stringContaining('idempotency')]);
      else expect(status).toBe('passed');
    }
  });

  it('leaves nothing running after it was ended', async () => {
    const ending = new AbortController();
    const onResult = vi.fn(() => ending.abort());
    const result = await run(['read'], {}, { signal: ending.signal, concurrency: 1, onResult });
    expect(result.tests.filter(({ status }) => status === 'skipped').length).toBeGreaterThan(10);
    expect(onResult).toHaveBeenCalledTimes(result.tests.length);
  });

  it.each([
    ['nobody listens', { url: 'http://127.0.0.1:1/' }, /cannot be reached/],
    ['the secret is wrong', { secret: 'wrong' }, /refuses the secret/],
    ['its allowlist is another', { upstreamHost: 'localhost' }, /allowlist .*http:\/\/localhost:\*\/\*\*/],
    ['the path is another', { url: '/elsewhere' }, /no proxy under this path/],
    ['the URL is none', { url: 'elsewhere' }, /is not a URL/],
  ])('says what to change when %s', async (_, wrong, message) => {
    const target = { url: proxy.url, secret: SECRET, ...wrong };
    if (target.url.startsWith('/')) target.url = proxy.url + target.url;
    await expect(runProxyConformance(target)).rejects.toThrow(message);
  });
});

describe('npx durable-proxy conformance', () => {
  async function command(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    const printed = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      vi.spyOn(process[name], 'write').mockImplementation((text) => ((printed[name] += String(text)), true));
    }
    const code = await runConformanceCommand(argv);
    vi.restoreAllMocks();
    return { code, ...printed };
  }

  it('prints a report and exits with 0 if no test failed', async () => {
    const { code, stdout } = await command('--url', proxy.base, '--secret', SECRET, '--only', 'head,delete');
    expect(code).toBe(0);
    expect(stdout).toContain('✓ [HEAD-4]');
    expect(stdout).toMatch(/\n10 passed, 0 failed, 0 skipped in \d+\.\d s\n$/);
    expect(stdout).not.toContain(SECRET);
  });

  it('exits with 1 and prints the reason if a test failed', async () => {
    front = await startFront(proxy.url, { answer: foundByHead });
    const { code, stdout } = await command('--url', front.url, '--secret', SECRET, '--only', 'head');
    expect(code).toBe(1);
    expect(stdout).toMatch(/\n✗ \[HEAD-4\].*\n {4}.*200 !== 404/s);
  });

  it('prints JSON with --json', async () => {
    const { stdout } = await command('--url', proxy.base, '--secret', SECRET, '--only', 'head', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ url: proxy.base, passed: 4, failed: 0 });
  });

  it('exits with 2 if the target cannot be tested or the arguments are invalid', async () => {
    for (const argv of [
      ['--url', proxy.base, '--secret', 'wrong'],
      ['--url', proxy.base, '--secret', SECRET, '--only', 'everything'],
      ['--url', proxy.base, '--secret', SECRET, '--concurrency', 'x'],
      ['--uri', proxy.base],
    ]) {
      const { code, stdout, stderr } = await command(...argv);
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(/^durable-proxy conformance: \S/);
    }
    expect((await command('--help')).code).toBe(0);
  });
});
