import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createDurableFetch } from '../../core-client/index.ts';
import { parseCommand, type ServeCommand } from '../../server/cli/arguments.ts';
import { commandPath, needs } from '../requirements.ts';
import { ANSWER, startModel, type StandInModel } from '../samples/support/model.ts';
import { freePort, startCommand, type Command } from './commands.ts';
import { buildImage, find, readStages, ROOT, words, type Image } from './docker-image.ts';
import { EXAMPLES, readmeCommands } from './example.ts';

const JWT_SECRET = 'a-secret-of-the-examples-that-is-long-enough';

interface Service {
  build?: string;
  image?: string;
  command?: string[];
  environment?: Record<string, string>;
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: object;
  stop_grace_period?: string;
}

async function compose(name: string): Promise<Record<string, Service>> {
  const text = await readFile(join(EXAMPLES, name, 'compose.yaml'), 'utf8');
  return (parse(text) as { services: Record<string, Service> }).services;
}

describe('the Dockerfile', () => {
  it('pins the version of its base image, and runs as a user without privileges', async () => {
    const stages = await readStages();
    expect(stages.length).toBeGreaterThan(1);
    for (const { image } of stages) expect(image).toMatch(/^node:\d+-slim$/);
    const last = stages.at(-1)!;
    expect(find(last, 'USER').map((user) => user.getArgumentsContent())).toEqual(['node']);
    // After USER, no instruction runs as root.
    const keywords = last.instructions.map((instruction) => instruction.getKeyword());
    expect(keywords.lastIndexOf('RUN')).toBeLessThan(keywords.indexOf('USER'));
  });

  it('has a health check, an entrypoint that receives signals, and the default port', async () => {
    const last = (await readStages()).at(-1)!;
    expect(words(find(last, 'HEALTHCHECK')[0]!)[0]).toBe('node');
    const [node, file, ...args] = words(find(last, 'ENTRYPOINT')[0]!);
    expect([node, file]).toEqual(['node', 'dist/bin.js']);
    const command = parseCommand([...args, ...words(find(last, 'CMD')[0]!)], { JWT_SECRET });
    expect(command).toMatchObject({ kind: 'serve', options: { host: '0.0.0.0', dataDir: '/data' } });
    expect(find(last, 'EXPOSE')[0]!.getArgumentsContent()).toBe('4440');
    expect(find(last, 'VOLUME')[0]!.getArgumentsContent()).toBe('/data');
  });

  it('copies files that exist and that .dockerignore lets through, and contains no secret', async () => {
    const allowed = (await readFile(join(ROOT, '.dockerignore'), 'utf8')).split('\n');
    expect(allowed).toContain('*');
    for (const stage of await readStages()) {
      expect(find(stage, 'ARG')).toEqual([]);
      expect(find(stage, 'ENV').map((env) => env.getArgumentsContent())).not.toContainEqual(
        expect.stringMatching(/KEY|SECRET|TOKEN/),
      );
      for (const copy of find(stage, 'COPY')) {
        const paths = copy.getArguments().map((argument) => argument.getValue());
        if (paths.some((path) => path.startsWith('/app'))) continue;
        for (const path of paths.slice(0, -1)) {
          expect(existsSync(join(ROOT, path)), path).toBe(true);
          expect(allowed).toContain(`!${path}`);
        }
      }
    }
  });
});

describe.each(['proxy-valkey', 'proxy-durable-streams'])('examples/%s', (name) => {
  it('has a README of two commands that starts it', async () => {
    const commands = await readmeCommands(join(EXAMPLES, name, 'README.md'));
    expect(commands).toEqual(['export JWT_SECRET="$(openssl rand -base64 32)"', 'docker compose up --build']);
  });

  it('builds the proxy from the Dockerfile and starts it with options that the command line accepts', async () => {
    const { proxy } = await compose(name);
    expect(existsSync(join(EXAMPLES, name, proxy!.build!, 'Dockerfile'))).toBe(true);
    const command = parseCommand(proxy!.command!, { JWT_SECRET }) as ServeCommand;
    expect(command.kind).toBe('serve');
    expect(parseInt(proxy!.stop_grace_period!)).toBeGreaterThan(command.drainMs / 1000);
    expect(proxy!.environment!['JWT_SECRET']).toMatch(/^\$\{JWT_SECRET:\?/);
  });

  it('waits only for services that have a health check', async () => {
    const services = await compose(name);
    for (const { depends_on = {} } of Object.values(services))
      for (const [other, { condition }] of Object.entries(depends_on)) {
        expect(condition).toBe('service_healthy');
        // The proxy's is in the Dockerfile.
        if (other !== 'proxy') expect(services[other]!.healthcheck).toBeDefined();
      }
  });
});

describe('the image, made without Docker', () => {
  let image: Image;
  let model: StandInModel;
  let folder: string;
  const running: Command[] = [];
  const run = (command: Command): Command => {
    running.push(command);
    return command;
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'durable-proxy-compose-'));
    [image, model] = await Promise.all([buildImage(), startModel()]);
  }, 400_000);
  afterEach(async () => {
    await Promise.all(running.splice(0).map((command) => command.stop()));
    model.reset();
  });
  afterAll(async () => {
    await image?.remove();
    await model?.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** Starts a proxy with the arguments of a compose file, which may also call the stand-in model. */
  async function startProxy(
    args?: readonly string[],
  ): Promise<{ url: string; env: Record<string, string>; command: Command }> {
    const env = { JWT_SECRET, PORT: String(await freePort()) };
    const command = run(image.start(env, args && [...args, `--allow=${new URL(model.url).origin}/**`]));
    await command.printed(/"msg":"listening"/);
    return { url: `http://127.0.0.1:${env.PORT}/v1/proxy`, env, command };
  }

  const ask = (proxyUrl: string, requestId: string) =>
    createDurableFetch({ proxyUrl, proxyAuthorization: JWT_SECRET })(`${new URL(model.url).origin}/text`, {
      body: '{}',
      requestId,
    });

  it('runs as another user, is healthy once it serves, and ends at SIGTERM', async () => {
    const { env, command } = await startProxy();
    expect(await image.checkHealth(env)).toBe(0);
    command.signal('SIGTERM');
    expect(await command.exited).toBe(0);
    expect(await image.checkHealth(env)).toBe(1);
  });

  needs('valkey-server')('examples/proxy-valkey', () => {
    it('keeps answers where both proxies find them', async () => {
      const { valkey, proxy } = await compose('proxy-valkey');
      const port = await freePort();
      const server = [
        commandPath('valkey-server'),
        ...valkey!.command!.slice(1),
        '--port',
        port,
        '--dir',
        folder,
      ];
      await run(startCommand(`exec ${server.join(' ')}`, { cwd: folder })).listens(port);
      const args = proxy!.command!.map((arg) =>
        arg.replace('redis://valkey:6379', `redis://127.0.0.1:${port}`),
      );
      const [one, other] = [await startProxy(args), await startProxy(args)];
      const response = await ask(one.url, 'an-answer');
      expect(await response.text()).toBe(ANSWER);
      const again = new URL(response.streamUrl!);
      again.port = new URL(other.url).port;
      expect(await (await fetch(`${again.href}&offset=-1`)).text()).toBe(ANSWER);
      expect(model.calls).toHaveLength(1);
    });
  });

  it('keeps answers in the Durable Streams server of examples/proxy-durable-streams', async () => {
    const { proxy } = await compose('proxy-durable-streams');
    const port = await freePort();
    const env = { PORT: String(port), DATA_DIR: join(folder, 'streams') };
    const cwd = join(EXAMPLES, 'proxy-durable-streams');
    await run(startCommand('exec node server.mjs', { cwd, env })).listens(port);
    const args = proxy!.command!.map((arg) => arg.replace('streams:4437', `127.0.0.1:${port}`));
    const { url } = await startProxy(args);
    expect(await (await ask(url, 'an-answer')).text()).toBe(ANSWER);
  });
});
