import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ConfigurationError,
  createProxyServer,
  createServiceToken,
  durableProxy,
  durableStreamsStore,
  embeddedStore,
  openaiResponsesRecovery,
  signStreamUrl,
  type CloseOptions,
  type ProxyServerOptions,
} from '../index.ts';
import { redisStore } from '../store/redis/index.ts';
import { closestName } from '../shared/closest-name.ts';
import { createDurableHandler, type DurableHandlerOptions } from '../web.ts';
import { resolveOptions, resolveServerOptions } from './resolve.ts';
import { PROXY_OPTIONS, SERVER_OPTIONS } from './table.ts';

const jwtSecret = 'a-secret-that-no-message-may-repeat';
const NAMES = Object.keys(PROXY_OPTIONS);

function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError);
    expect((error as Error).message).not.toContain(jwtSecret);
    return (error as Error).message;
  }
  return expect.fail('the options were accepted');
}

describe('an unknown option', () => {
  it.each([
    ['allowList', 'allowlist'],
    ['maxRequestByte', 'maxRequestBytes'],
    ['authentication', 'authenticate'],
    ['secret', 'jwtSecret'],
    ['headersTimeoutMs', 'upstreamHeadersTimeoutMs'],
    ['onevent', 'onEvent'],
    ['datadir', 'dataDir'],
  ])('of durableProxy throws, and suggests "%s" as "%s"', (wrong, right) => {
    const message = refusal(() => durableProxy({ jwtSecret, [wrong]: jwtSecret }));
    expect(message).toBe(`durableProxy has no option "${wrong}". Did you mean "${right}"?`);
  });

  it.each(Object.keys(SERVER_OPTIONS))('of createProxyServer is named as such by the others: %s', (name) => {
    for (const [functionName, create] of [
      ['durableProxy', durableProxy],
      ['createDurableHandler', createDurableHandler],
    ] as const) {
      expect(refusal(() => create({ jwtSecret, basePath: '/', [name]: 3 }))).toBe(
        `${functionName} has no option "${name}". It is an option of createProxyServer`,
      );
    }
  });

  it('that resembles no known option lists all options', () => {
    expect(refusal(() => durableProxy({ jwtSecret, quux: 1 } as never))).toMatch(
      /has no option "quux"\. It has: jwtSecret, .*allowlist, /,
    );
  });

  it('with a single typo is recognized for every option', () => {
    const misspelled = fc.constantFrom(...NAMES).chain((name) =>
      fc.tuple(
        fc.constant(name),
        fc
          .nat(name.length - 1)
          .chain((at) =>
            fc.constantFrom(
              name.slice(0, at) + name.slice(at + 1),
              `${name.slice(0, at)}x${name.slice(at)}`,
              `${name.slice(0, at)}x${name.slice(at + 1)}`,
              name.toLowerCase(),
              name.toUpperCase(),
            ),
          ),
      ),
    );
    fc.assert(
      fc.property(misspelled, ([name, wrong]) => {
        fc.pre(!NAMES.includes(wrong));
        expect(closestName(wrong, NAMES)).toBe(name);
      }),
    );
  });

  it.each<[string, (options: object) => unknown]>([
    ['embeddedStore', (options) => embeddedStore(options)],
    ['durableStreamsStore', (options) => durableStreamsStore({ url: 'http://h', ...options })],
    ['redisStore', (options) => redisStore({ url: 'redis://h', ...options })],
    ['signStreamUrl', (options) => signStreamUrl({ jwtSecret, streamId: 'x', basePath: '/', ...options })],
  ])('of %s throws', (functionName, call) => {
    expect(refusal(() => call({ quux: 1 }))).toContain(`${functionName} has no option "quux"`);
  });

  it('of createProxyServer and createServiceToken rejects', async () => {
    const server = createProxyServer({ jwtSecret, prot: 1 } as never);
    await expect(server).rejects.toThrow('createProxyServer has no option "prot". Did you mean "port"?');
    const token = createServiceToken({ jwtSecret, subject: 'u', expiresInSecond: 60 } as never);
    await expect(token).rejects.toThrow('Did you mean "expiresInSeconds"?');
  });
});

describe('an option of the wrong type', () => {
  it.each<[string, unknown, RegExp]>([
    ['allowlist', 'https://api.openai.com/**', /must be a list of strings.*Example: allowlist: \['https:/],
    ['allowlist', [undefined], /must be a list of strings, but entry 0 is undefined\. Example: allowlist: /],
    ['allowlist', ['https://h', 1], /but entry 1 is a number\./],
    // eslint-disable-next-line no-sparse-arrays -- a comma too many
    ['allowlist', ['https://h', , 'https://i'], /but entry 1 is undefined\./],
    ['allowlist', [[jwtSecret]], /but entry 0 is a list\./],
    ['allowlist', { 0: 'https://h', length: 1 }, /must be a list of strings, not this object/],
    ['dropRequestHeaders', ['x-a', null], /but entry 1 is null\./],
    [
      'exposeUpstreamHeaders',
      [{ jwtSecret }],
      /'none' or a list of header names, but entry 0 is an object\./,
    ],
    [
      'recovery',
      [openaiResponsesRecovery],
      /list of recoveries, but entry 0 is a function\. Example: recovery: \[/,
    ],
    ['recovery', [{ name: 'x', matches: () => true }], /but entry 0 has no method resume\./],
    ['maxRequestBytes', '1000', /must be a whole number of at least 0, or Infinity, not this string/],
    ['maxRequestBytes', null, /not null/],
    ['keepAliveMs', Infinity, /must be a whole number from 1 to 2147483647/],
    ['allowPrivateNetworks', 'false', /must be true or false/],
    ['authenticate', { subject: 'x' }, /must be a function.*Example: authenticate: async \(req\)/],
    ['prepareUpstream', true, /must be a function/],
    ['onEvent', [], /must be a function/],
    ['logger', () => 0, /must be an object with the methods debug, info, warn, error/],
    ['logger', { info: () => 0 }, /debug, info, warn, error, but it has no method debug, warn, error\. /],
    ['store', 'redis://localhost', /must be an object with the methods open, .*redisStore/],
    ['cors', true, /must be false or options of the package 'cors'/],
    ['cors', 'https://app.example.com', /Example: cors: \{ origin: /],
    ['cors', { orgin: 'https://app.example.com' }, /has no option "orgin"\. Did you mean "origin"\?/],
    ['dataDir', '', /must be a non-empty string, not an empty string/],
    ['dataDir', new URL('file:///x'), /must be a non-empty string/],
    ['durability', 'memory', /must be 'disk' or 'process'/],
    ['durableStreamsUrl', 7, /must be a non-empty string, not 7/],
    ['durableStreamsHeaders', ['authorization'], /must be an object of strings/],
    ['durableStreamsHeaders', { authorization: undefined }, /but "authorization" is undefined\. Example: /],
    ['durableStreamsHeaders', { authorization: 7 }, /but "authorization" is a number\. Example: /],
    ['publicUrl', 'chat.example.com', /must be the absolute URL/],
    ['jwtSecret', { secret: 'x' }, /must be a non-empty string/],
  ])('throws, and the message shows a valid value: %s', (name, value, message) => {
    expect(refusal(() => durableProxy({ jwtSecret, [name]: value }))).toMatch(
      new RegExp(`^(?=${name} )(?=.*${message.source})`),
    );
  });

  it.each(Object.entries({ ...PROXY_OPTIONS, ...SERVER_OPTIONS }))(
    'throws an error with the name, what it got, and an example: %s',
    async (name, { check }) => {
      const isAccepted = (value: unknown): boolean => {
        try {
          check(name, value);
          return name !== 'jwtSecret' || (typeof value === 'string' && value !== '');
        } catch {
          return false;
        }
      };
      const candidates = [
        null,
        '',
        'wrong',
        -1.5,
        true,
        false,
        () => 0,
        [7],
        [undefined],
        [null],
        { length: 1 },
      ];
      const wrong = candidates.filter((value) => !isAccepted(value));
      expect(wrong.length).toBeGreaterThan(4);
      for (const value of wrong) {
        const error = await createProxyServer({ jwtSecret, [name]: value }).catch(
          (thrown: unknown) => thrown,
        );
        expect(error).toBeInstanceOf(ConfigurationError);
        const { message } = error as Error;
        expect(message).toMatch(new RegExp(`^${name} `));
        expect(message).toMatch(
          /, not (this |null|an empty|-1\.5)|, but |jwtSecret is (null|an empty)|no option "/,
        );
        expect(message).toMatch(new RegExp(`Example: ${name}: \\S|pass ${name}: |It has: |Did you mean `));
        expect(message).not.toMatch(new RegExp(`${name}: ${name}`));
      }
    },
  );

  it.each([undefined, null, 'secret', 7, [], () => 0])('throws if the options are %j', (options) => {
    expect(refusal(() => durableProxy(options as never))).toMatch(
      /^durableProxy needs options: durableProxy\(\{/,
    );
    for (const store of [embeddedStore, durableStreamsStore, redisStore] as ((options: never) => unknown)[]) {
      if (options !== undefined) refusal(() => store(options as never));
    }
  });

  it.each<[string, () => unknown, RegExp]>([
    ['embeddedStore', () => embeddedStore({ dataDir: 7 as never }), /dataDir must be/],
    ['embeddedStore', () => embeddedStore({ durability: 'ram' as never }), /'disk' or 'process'/],
    ['embeddedStore', () => embeddedStore({ sweepIntervalMs: '5' as never }), /sweepIntervalMs must be/],
    ['durableStreamsStore', () => durableStreamsStore({ url: 7 as never }), /not a URL/],
    ['durableStreamsStore', () => durableStreamsStore({ url: 'http://h', headers: 'a' as never }), /headers/],
    [
      'durableStreamsStore',
      () => durableStreamsStore({ url: 'http://h', silenceMs: '5' as never }),
      /silenceMs/,
    ],
    ['redisStore', () => redisStore({ url: 'redis://h', keyPrefix: 7 as never }), /keyPrefix/],
  ])('throws in %s', (_owner, call, message) => {
    expect(refusal(call)).toMatch(message);
  });

  it('treats undefined as absent', () => {
    const absent = Object.fromEntries(NAMES.map((name) => [name, undefined]));
    expect(refusal(() => durableProxy({ ...absent } as never))).toMatch(/^jwtSecret/);
  });
});

it('accepts undefined for every option but jwtSecret, at run time and as a type', () => {
  const names = Object.keys({ ...PROXY_OPTIONS, ...SERVER_OPTIONS });
  const absent = Object.fromEntries(names.map((name) => [name, undefined])) as Record<
    Exclude<keyof ProxyServerOptions, 'jwtSecret'>,
    undefined
  >;
  // With `exactOptionalPropertyTypes`, these assignments fail if a type lacks `undefined`.
  const options: ProxyServerOptions = { ...absent, jwtSecret };
  const { proxyOptions, ...own } = resolveServerOptions(options);
  expect(own.port).toBe(4440);
  expect(resolveOptions(proxyOptions)).toMatchObject({ jwtSecret, allowlist: [], dataDir: undefined });
  const { authenticate, prepareUpstream } = absent;
  const handlerOptions: DurableHandlerOptions = { basePath: '/', jwtSecret, authenticate, prepareUpstream };
  expect(createDurableHandler(handlerOptions)).toBeTypeOf('function');
  const closeOptions: CloseOptions = { drainMs: undefined };
  expect(closeOptions).toBeDefined();
});

describe('docs/server.md', () => {
  const document = readFileSync(new URL('../../docs/server.md', import.meta.url), 'utf8');

  it.each(Object.keys({ ...PROXY_OPTIONS, ...SERVER_OPTIONS }))('describes %s and its default', (name) => {
    const { fallback } = { ...PROXY_OPTIONS, ...SERVER_OPTIONS }[name as keyof typeof PROXY_OPTIONS];
    const row = document.split('\n').find((line) => new RegExp(`^\\|[^|]*\`${name}\\b`).test(line));
    expect(row, `docs/server.md has no table row for ${name}`).toBeDefined();
    if (typeof fallback !== 'number') return;
    expect(row).toContain(`| ${fallback === Infinity ? 'Infinity' : fallback.toLocaleString('en-US')} |`);
  });
});
