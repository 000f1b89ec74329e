import { describe, expect, it } from 'vitest';
import { parseCommand, type ServeCommand } from './arguments.ts';
import { PROXY_OPTIONS } from '../options/table.ts';
import { HELP } from './help.ts';
import { NUMBER_FLAGS } from './number-flags.ts';
import { UsageError } from './usage-error.ts';

const env = { JWT_SECRET: 'one' };

function serveCommand(args: string[], environment: NodeJS.ProcessEnv = env): ServeCommand {
  const command = parseCommand(args, environment);
  if (command.kind !== 'serve') throw new Error(`got ${command.kind}`);
  return command;
}

describe('parseCommand', () => {
  it('leaves other options to the defaults of the server', () => {
    expect(serveCommand([])).toEqual({
      kind: 'serve',
      redis: undefined,
      logLevel: 'info',
      drainMs: 10_000,
      options: { jwtSecret: ['one'], allowlist: [] },
    });
  });

  it('passes every flag to the options', () => {
    const { options, logLevel, drainMs } = serveCommand([
      ...[
        '--port',
        '0',
        '--host',
        '0.0.0.0',
        '--allow',
        'https://a.example/**',
        '--allow',
        'https://b.example/v1/*',
      ],
      ...['--allow-private-networks', '--data-dir', '/var/lib/streams', '--durability', 'process'],
      ...[
        '--public-url',
        'https://c.example/v1/proxy',
        '--base-path',
        '/chat',
        '--cors-origin',
        'https://d.example',
      ],
      ...['--ttl', '60', '--url-expiration', '30', '--drain', '2', '--log-level', 'warn'],
    ]);
    expect(options).toEqual({
      jwtSecret: ['one'],
      port: 0,
      host: '0.0.0.0',
      allowlist: ['https://a.example/**', 'https://b.example/v1/*'],
      allowPrivateNetworks: true,
      dataDir: '/var/lib/streams',
      durability: 'process',
      publicUrl: 'https://c.example/v1/proxy',
      basePath: '/chat',
      cors: { origin: ['https://d.example'] },
      streamTtlSeconds: 60,
      urlExpirationSeconds: 30,
    });
    expect({ logLevel, drainMs }).toEqual({ logLevel: 'warn', drainMs: 2000 });
  });

  it('accepts several secrets for a rotation, in order', () => {
    expect(serveCommand([], { JWT_SECRET: 'new,old' }).options.jwtSecret).toEqual(['new', 'old']);
  });

  it('prefers the flag to the environment for the port', () => {
    expect(serveCommand([], { ...env, PORT: '8080' }).options.port).toBe(8080);
    expect(serveCommand(['--port', '9090'], { ...env, PORT: '8080' }).options.port).toBe(9090);
  });

  it('ignores an empty PORT, and names PORT in the error of a malformed one', () => {
    expect(serveCommand([], { ...env, PORT: '' }).options.port).toBe(serveCommand([], env).options.port);
    expect(() => serveCommand([], { ...env, PORT: 'http' })).toThrow(/^PORT /);
    expect(() => serveCommand([], { ...env, PORT: '70000' })).toThrow(/^PORT /);
  });

  it('selects the store', () => {
    expect(serveCommand(['--redis', 'redis://cache:6379']).redis).toBe('redis://cache:6379');
    const { options } = serveCommand([
      ...['--durable-streams-url', 'https://streams.example/v1'],
      ...[
        '--durable-streams-header',
        'Authorization: Bearer a:b',
        '--durable-streams-header',
        'X-Tenant:one',
      ],
    ]);
    expect(options.durableStreamsUrl).toBe('https://streams.example/v1');
    expect(options.durableStreamsHeaders).toEqual({ Authorization: 'Bearer a:b', 'X-Tenant': 'one' });
  });

  it('rejects a missing secret and explains how to create one', () => {
    for (const JWT_SECRET of [undefined, '', ',']) {
      expect(() => parseCommand(['--port', '0'], { JWT_SECRET })).toThrow(
        /JWT_SECRET is not set[^]*openssl rand -base64 32/,
      );
    }
  });

  it.each([
    [['--port', 'http'], /--port must be a whole number/],
    [['--port', '65536'], /^--port must be a whole number from 0 to 65535, not 65536\.$/],
    [['--port', '-1'], /--port/],
    [['--drain', '1.5'], /--drain/],
    [['--ttl', ''], /--ttl/],
    [['--durability', 'memory'], /--durability must be one of disk, process/],
    [['--log-level', 'loud'], /--log-level must be one of/],
    [['--unknown'], /--unknown/],
    [['https://api.openai.com/**'], /https:\/\/api\.openai\.com/],
    [['--data-dir', 'x', '--redis', 'redis://cache'], /Use only one of --redis, --data-dir/],
  ])('refuses %j', (args, message) => {
    expect(() => parseCommand(args, env)).toThrow(UsageError);
    expect(() => parseCommand(args, env)).toThrow(message);
  });

  it('does not print a malformed header, which may be a credential', () => {
    const parse = () => parseCommand(['--durable-streams-header', 'sk-hidden'], env);
    expect(parse).toThrow(/Authorization: Bearer/);
    expect(parse).not.toThrow(/sk-hidden/);
  });

  it('prints help without a secret', () => {
    expect(parseCommand(['--help'], {})).toEqual({ kind: 'help' });
    expect(parseCommand(['-v'], {})).toEqual({ kind: 'version' });
  });

  it('passes arguments to the conformance suite unchanged', () => {
    expect(parseCommand(['conformance', '--url', 'http://localhost:1'], {})).toEqual({
      kind: 'conformance',
      args: ['--url', 'http://localhost:1'],
    });
  });

  it('has a flag with a line in --help for every numeric option', () => {
    const numbers = Object.entries(PROXY_OPTIONS).filter(([, spec]) => 'unlimited' in spec);
    for (const [option] of numbers) {
      const { flag, spec } = NUMBER_FLAGS.find((each) => each.option === option)!;
      expect(serveCommand([`--${flag}`, String(spec.min)]).options).toMatchObject({ [option]: spec.min });
      expect(HELP).toContain(`--${flag} <`);
    }
    expect(numbers.length).toBeGreaterThan(10);
  });

  it('accepts Infinity for a limit, but not for a timeout', () => {
    expect(serveCommand(['--max-readers', 'Infinity']).options).toMatchObject({ maxReaders: Infinity });
    expect(() => serveCommand(['--keep-alive-ms', 'Infinity'])).toThrow(UsageError);
  });

  it('rejects a number below the minimum', () => {
    expect(() => serveCommand(['--max-concurrent-streams', '0'])).toThrow(
      '--max-concurrent-streams must be a whole number of at least 1, or Infinity, not 0.',
    );
  });
});
