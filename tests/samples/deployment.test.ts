import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseCommand } from '../../server/cli/arguments.ts';
import { HELP } from '../../server/cli/help.ts';
import { SAMPLES } from './support/bundle.ts';

const read = (file: string) => readFileSync(join(SAMPLES, file), 'utf8');

/** A directive of nginx or Caddy: its words, and the directives of its block. */
interface Directive {
  readonly words: readonly string[];
  readonly block: readonly Directive[];
}

/** Parses directives with blocks. `end` is what ends a directive without a block: `;` in nginx, a line in Caddy. */
function parseDirectives(text: string, end: ';' | '\n'): Directive[] {
  const tokens = [...text.replaceAll(/#.*/g, '').matchAll(/"[^"]*"|[{};\n]|[^\s{};"]+/g)].map(
    ([token]) => token,
  );
  const root: Directive[] = [];
  const open: Directive[][] = [root];
  let words: string[] = [];
  for (const token of tokens) {
    if (token === '{') {
      const block: Directive[] = [];
      open.at(-1)!.push({ words, block });
      open.push(block);
      words = [];
    } else if (token === '}') {
      if (words.length > 0) throw new Error(`"${words.join(' ')}" does not end with ";"`);
      open.pop();
      if (open.length === 0) throw new Error('a block is closed twice');
    } else if (token === end) {
      if (words.length > 0) open.at(-1)!.push({ words, block: [] });
      words = [];
    } else if (token !== '\n') words.push(token);
  }
  if (open.length > 1) throw new Error('a block is not closed');
  if (words.length > 0 && end === ';') throw new Error(`"${words.join(' ')}" does not end with ";"`);
  return root;
}

const valuesOf = (block: readonly Directive[]) =>
  Object.fromEntries(block.map(({ words: [name, ...values] }) => [name, values.join(' ')]));

describe('samples of docs/deployment.md', () => {
  it('[deployment/kubernetes.yaml] starts the proxy with options that the command line accepts', () => {
    interface Pod {
      spec: {
        terminationGracePeriodSeconds: number;
        containers: [
          {
            command: string[];
            env: [{ name: string }];
            ports: [{ containerPort: number }];
            readinessProbe: { httpGet: { path: string; port: number } };
            lifecycle: { preStop: { sleep: { seconds: number } } };
          },
        ];
      };
    }
    const { spec } = parse(read('deployment/kubernetes.yaml')) as Pod;
    const [{ command, env, ports, readinessProbe, lifecycle }] = spec.containers;
    expect(command.slice(0, 2)).toEqual(['npx', 'durable-proxy']);
    const secret = 'a-secret-of-the-samples-that-is-long-enough';
    const parsed = parseCommand(command.slice(2), { [env[0].name]: secret });
    if (parsed.kind !== 'serve') throw new Error(`the command is ${parsed.kind}`);
    expect(parsed.options).toMatchObject({ host: '0.0.0.0', jwtSecret: [secret] });
    // The command does not set a port, so the container listens on the default one.
    expect(parsed.options.port).toBeUndefined();
    expect(HELP).toMatch(new RegExp(`--port .*${ports[0].containerPort}`));
    expect(parsed.redis).toBe('redis://cache:6379');
    expect(readinessProbe.httpGet).toEqual({ path: '/ready', port: ports[0].containerPort });
    const { seconds } = lifecycle.preStop.sleep;
    expect(spec.terminationGracePeriodSeconds).toBeGreaterThan(parsed.drainMs / 1000 + seconds);
  });

  it('[deployment/nginx.conf] neither buffers nor closes a connection between keep-alive comments', () => {
    const [location, ...others] = parseDirectives(read('deployment/nginx.conf'), ';');
    expect(others).toEqual([]);
    expect(location!.words).toEqual(['location', '/v1/proxy']);
    const values = valuesOf(location!.block);
    expect(values).toMatchObject({
      proxy_buffering: 'off',
      proxy_http_version: '1.1',
      proxy_set_header: 'Connection ""',
      client_max_body_size: '32m',
      access_log: '/var/log/nginx/proxy.log combined_without_query',
    });
    expect(parseInt(values['proxy_read_timeout']!)).toBeGreaterThan(15);
  });

  it('[deployment/caddy.caddyfile] forwards the proxy’s path and does not buffer', () => {
    const [site, ...others] = parseDirectives(read('deployment/caddy.caddyfile'), '\n');
    expect(others).toEqual([]);
    const [proxy] = site!.block;
    expect(proxy!.words).toEqual(['reverse_proxy', '/v1/proxy*', 'durable_proxy:4440']);
    expect(valuesOf(proxy!.block)).toEqual({ flush_interval: '-1' });
  });
});
