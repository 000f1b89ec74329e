import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UPSTREAM_METHOD, UPSTREAM_URL } from '../protocol/headers.ts';
import { bundleScript } from '../tests/support/bundle-script.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
const JWT_SECRET = 'a-secret-of-the-command-line';

let dataDir: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'durable-proxy-bin-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  await rm(dataDir, { recursive: true, force: true });
});

/** Runs the command from its source, as a user would run it. */
function start(args: string[], env: Record<string, string> = { JWT_SECRET }) {
  const child = spawn(process.execPath, ['--enable-source-maps', bundleScript('server/bin.ts'), ...args], {
    cwd: root,
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  const entries = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let errors = '';
  child.stderr.on('data', (data: Buffer) => (errors += data.toString()));
  const exit = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as string | null,
    errors,
  }));
  return {
    child,
    exit,
    /** Resolves with the next log entry that has this message. */
    async logged(message: string): Promise<Record<string, unknown>> {
      for (;;) {
        const line = await entries.next();
        if (line.done === true) throw new Error(`the command ended without "${message}": ${errors}`);
        const entry = JSON.parse(line.value) as Record<string, unknown>;
        if (entry['msg'] === message) return entry;
      }
    },
  };
}

describe('the command', () => {
  it('exits with 2 without a secret, and prints how to create one', async () => {
    const { code, errors } = await start(['--port', '0'], {}).exit;
    expect(code).toBe(2);
    expect(errors).toContain('openssl rand -base64 32');
  });

  it('exits with 2 for unknown arguments', async () => {
    const { code, errors } = await start(['--prot', '1']).exit;
    expect(code).toBe(2);
    expect(errors).toMatch(/--prot.*\n.*--help/s);
  });

  it('passes arguments to the conformance suite and returns its exit code', async () => {
    const { code, errors } = await start(['conformance', '--only', 'nothing']).exit;
    expect(code).toBe(2);
    expect(errors).toContain('durable-proxy conformance:');
  });

  it('exits with 1 and prints one line when the port is in use', async () => {
    const taken = createServer().listen(0, 'localhost');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const { code, errors } = await start(['--port', String(port), '--data-dir', dataDir]).exit;
    taken.close();
    expect(code).toBe(1);
    expect(errors).toMatch(/^durable-proxy: .*EADDRINUSE.*\n$/);
  });

  it('exits with 1 and prints one line when the data directory is in use or a file', async () => {
    const holder = start(['--port', '0', '--data-dir', dataDir]);
    await holder.logged('listening');
    const file = join(dataDir, 'file');
    await writeFile(file, '');
    for (const [path, reason] of [
      [dataDir, 'Another process'],
      [file, 'EEXIST'],
    ] as const) {
      const command = start(['--port', '0', '--data-dir', path]);
      let output = '';
      command.child.stdout.on('data', (data: Buffer) => (output += data.toString()));
      const { code, errors } = await command.exit;
      expect(code).toBe(1);
      expect(errors).toMatch(new RegExp(`^durable-proxy: .*${reason}.*\\n$`));
      expect(output).not.toContain('"level":50');
    }
  });

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'finishes a running response after %s and exits with 0',
    async (signal) => {
      const finish = new AbortController();
      const upstream = createServer((_req, res) => {
        res.writeHead(200, { 'content-type': 'text/plain' }).write('first');
        finish.signal.addEventListener('abort', () => res.end(' and last'));
      }).listen(0, '127.0.0.1');
      await once(upstream, 'listening');
      const origin = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;

      const command = start(['--port', '0', '--data-dir', dataDir, '--allow', `${origin}/**`]);
      const { url } = await command.logged('listening');
      const created = await fetch(`${String(url)}/v1/proxy`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${JWT_SECRET}`,
          [UPSTREAM_URL]: `${origin}/chat`,
          [UPSTREAM_METHOD]: 'POST',
        },
      });
      expect(created.status).toBe(201);
      await command.logged('created');

      command.child.kill(signal);
      await command.logged('draining');
      finish.abort();
      expect(await command.logged('closed')).toMatchObject({
        outcome: 'complete',
        bytes: 'first and last'.length,
      });
      expect(await command.exit).toEqual({ code: 0, signal: null, errors: '' });
      upstream.close();
    },
  );

  it.each(['stdout', 'stderr'] as const)('keeps serving after its %s was closed', async (output) => {
    const command = start(['--port', '0', '--data-dir', dataDir, '--log-level', 'debug']);
    const { url } = await command.logged('listening');
    command.child[output].destroy();
    // Each request is logged.
    for (let n = 0; n < 3; n++) {
      expect((await fetch(`${String(url)}/v1/proxy`, { method: 'POST' })).status).toBe(401);
    }
    command.child.kill('SIGTERM');
    expect(await command.exit).toMatchObject({ code: 0, signal: null });
  });

  it('does not log the secret', async () => {
    const command = start(['--port', '0', '--data-dir', dataDir, '--log-level', 'debug']);
    const lines: string[] = [];
    command.child.stdout.on('data', (data: Buffer) => lines.push(data.toString()));
    const { url } = await command.logged('listening');
    const refused = await fetch(`${String(url)}/v1/proxy?secret=${JWT_SECRET}`, { method: 'POST' });
    expect(refused.status).toBe(400);
    await command.logged('refused');
    command.child.kill('SIGTERM');
    await command.exit;
    expect(lines.join('')).toContain('listening');
    expect(lines.join('')).not.toContain(JWT_SECRET);
  });
});
