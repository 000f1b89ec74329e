import { existsSync } from 'node:fs';
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseEnv } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { signStreamUrl } from 'durable-proxy';
import { createDurableFetch, type DurableFetch, type DurableResponse } from 'durable-proxy/client';
import { runProxyConformance } from 'durable-proxy/conformance';
import { startFront, type Front } from '../samples/support/front.ts';
import { ANSWER, FIRST_HALF, startModel, type StandInModel } from '../samples/support/model.ts';
import { freePort, runCommand, type Command } from './commands.ts';
import { installExample, type Example } from './example.ts';

/** A second route with a handler on the same data directory. It allows what the conformance tests call. */
const SECOND_ROUTE = `import { createDurableHandler } from 'durable-proxy/web';
let handler: ReturnType<typeof createDurableHandler> | undefined;
const respond = (request: Request): Promise<Response> => (handler ??= createDurableHandler({
  basePath: '/second/proxy',
  jwtSecret: process.env.JWT_SECRET!,
  allowlist: ['http://127.0.0.1:*/**', 'http://localhost:*/**'],
  longPollTimeoutMs: 2_000,
  keepAliveMs: 500,
  maxReadBytes: 1_048_576,
}))(request);
export const runtime = 'nodejs';
export { respond as DELETE, respond as GET, respond as HEAD, respond as OPTIONS, respond as PATCH, respond as POST };
`;

const BODY = JSON.stringify({
  messages: [{ id: 'u1', role: 'user', parts: [{ type: 'text', text: 'On drops' }] }],
});

/** What Next.js does by itself: other methods, malformed requests, and bodies, which it sends without Content-Length. */
const LIMITATIONS = [
  '[ERR-4] responds 405 with Allow to an unsupported method',
  '[ERR-5] responds 400 to malformed HTTP and keeps running',
  '[READ-20] sends the whole body of a closed stream with its own type',
  '[READ-20][READ-23] sends an empty stream as an empty 200',
  '[READ-23] a single range is a 206 with exactly these bytes',
  '[READ-25] HEAD accepts the signed URL and sends the headers of the whole body',
];

/** `next build`, `next start` and `next dev` of examples/nextjs-chat, with a second route. */
describe('a route handler of Next.js', () => {
  let example: Example;
  let model: StandInModel;
  let front: Front;
  let command: Command | undefined;
  let secret: string;
  let url: string;

  const dataDir = (): string => join(example.folder, '.durable-proxy');

  beforeAll(async () => {
    [example, model, front] = await Promise.all([installExample('nextjs-chat'), startModel(), startFront()]);
    const route = join(example.folder, 'app/second/proxy/[[...path]]/route.ts');
    await mkdir(dirname(route), { recursive: true });
    await writeFile(route, SECOND_ROUTE);
  }, 400_000);
  afterAll(async () => {
    await Promise.all([model?.close(), front?.close()]);
    await example?.remove();
  });
  afterEach(() => {
    model.finish();
    model.reset();
    front.reset();
  });

  const start = async (script: 'dev' | 'start'): Promise<void> => {
    const port = await freePort();
    url = `http://localhost:${port}`;
    command = example.run(`OPENAI_API_KEY=sk-... npm run ${script}`, {
      NEXT_TELEMETRY_DISABLED: '1',
      PORT: String(port),
      APP_URL: url,
      OPENAI_BASE_URL: model.url,
    });
    await command.listens(port);
    front.route({ '/': url });
    secret = parseEnv(await readFile(join(example.folder, '.env'), 'utf8'))['JWT_SECRET']!;
  };

  const clientOf = (mount = '/v1/proxy'): DurableFetch =>
    createDurableFetch({ proxyUrl: front.origin + mount, proxyAuthorization: secret });
  const ask = (durableFetch: DurableFetch): Promise<DurableResponse> =>
    durableFetch(`${url}/api/chat`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: BODY,
      requestId: crypto.randomUUID(),
    });

  it('is built without the environment variables, and the build opens no store', async () => {
    await runCommand('npm run build', {
      cwd: example.folder,
      env: { NEXT_TELEMETRY_DISABLED: '1' },
    });
    expect(existsSync(join(example.folder, '.env'))).toBe(false);
    expect(existsSync(dataDir())).toBe(false);
  }, 400_000);

  describe('under next start', () => {
    beforeAll(() => start('start'), 120_000);
    afterAll(() => command?.stop());

    it('passes the conformance tests', async () => {
      const { tests, passed } = await runProxyConformance({
        url: `${url}/second/proxy`,
        secret,
        extensions: true,
        signUrl: (urlOptions) => signStreamUrl({ jwtSecret: secret, ...urlOptions }),
      });
      const failed = tests.filter(({ status }) => status === 'failed').map(({ title }) => title);
      expect(failed.toSorted()).toEqual(LIMITATIONS.toSorted());
      expect(passed).toBeGreaterThan(100);
    });

    it('resumes an answer whose connections were cut', async () => {
      model.behavior = 'slow';
      const answer = await ask(clientOf());
      const text = answer.text();
      await model.call(0);
      front.cut();
      model.finish();
      expect(await text).toContain(ANSWER.slice(FIRST_HALF.length));
      expect([await answer.outcome, model.calls.length]).toEqual(['complete', 1]);
    });

    it('ends the model’s request on Stop', async () => {
      model.behavior = 'slow';
      const answer = await ask(clientOf());
      const call = await model.call(0);
      await answer.abort();
      expect(await call.closed).toBe(false);
    });

    it('completes a running answer after SIGTERM, and then exits', async () => {
      model.behavior = 'slow';
      const answer = await ask(clientOf());
      const reader = answer.body!.getReader();
      await reader.read();
      command!.signal('SIGTERM');
      // From here on the process takes no new answers.
      const headers = { authorization: `Bearer ${secret}` };
      const create = () => fetch(`${url}/v1/proxy`, { method: 'POST', headers });
      await expect.poll(async () => (await create()).status).toBe(503);
      model.finish();
      for (let next = await reader.read(); !next.done; next = await reader.read());
      expect(await answer.outcome).toBe('complete');
      await command!.exited;
    });
  });

  describe('under next dev', () => {
    beforeEach(() => start('dev'), 120_000);
    afterEach(() => command?.stop());

    it('shares one store with another route and with its reloaded module', async () => {
      const authorization = `Bearer ${secret}`;
      const found = await fetch(`${url}/second/proxy?key=nothing`, { headers: { authorization } });
      expect(found.status).toBe(204);
      model.behavior = 'slow';
      const [one, other] = [await ask(clientOf()), await ask(clientOf())];
      const reader = one.body!.getReader();
      await reader.read();
      const calls = await Promise.all([model.call(0), model.call(1)]);

      const file = join(example.folder, 'app/durable-handler.ts');
      await appendFile(file, "\nconsole.log('The module was reloaded');\n");
      await expect
        .poll(
          async () => {
            await fetch(`${url}/v1/proxy?key=nothing`, { headers: { authorization } });
            return command!.output();
          },
          { timeout: 60_000 },
        )
        .toContain('The module was reloaded');

      // The handler of the new module stops an answer of the handler before it, and reads another one to its end.
      await other.abort();
      expect(await calls[1].closed).toBe(false);
      front.cut();
      model.finish();
      for (let next = await reader.read(); !next.done; next = await reader.read());
      expect(await one.outcome).toBe('complete');
      expect(await calls[0].closed).toBe(true);
      expect(command!.output()).not.toContain('could not be opened');
    }, 240_000);
  });
});
