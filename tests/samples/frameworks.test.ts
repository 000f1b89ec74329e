import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signStreamUrl } from 'durable-proxy';
import { createDurableFetch } from 'durable-proxy/client';
import { runProxyConformance } from 'durable-proxy/conformance';
import { startCommand } from '../package/commands.ts';
import { bundleServer, ROOT } from './support/bundle.ts';
import { startFront, type Front } from './support/front.ts';
import { sampleFolder } from './support/load.ts';
import { ANSWER, FIRST_HALF, startModel, type StandInModel } from './support/model.ts';
import { startSample } from './support/server-process.ts';

const SECRET = 'a-secret-of-the-samples-that-is-long-enough';
const ENV = { JWT_SECRET: SECRET };

/** Limits and times that the conformance tests can reach, and the upstreams that they call. */
const REPLACE = {
  "['https://api.openai.com/**']": `['http://127.0.0.1:*/**', 'http://localhost:*/**'],
  longPollTimeoutMs: 2_000,
  keepAliveMs: 500,
  maxReadBytes: 1_048_576`,
};

interface Server {
  readonly port: number;
  /** Sends SIGTERM. Resolves with the exit code. */
  end(): Promise<number | null>;
  dispose(): Promise<void>;
}

async function onNode(sample: string): Promise<Server> {
  const { port, kill, dispose } = await startSample(sample, ENV, { replace: REPLACE });
  return { port, end: () => kill('SIGTERM'), dispose };
}

/** Starts a sample that prints its address with a runtime of `node_modules`. */
async function onRuntime(sample: string, command: string): Promise<Server> {
  const folder = await sampleFolder();
  await bundleServer(sample, join(folder, 'server.mjs'), {
    replace: { ...REPLACE, 'port: 3000': 'port: 0' },
  });
  const script = `exec ${join(ROOT, 'node_modules/.bin', command)} server.mjs`;
  const process = startCommand(script, { cwd: folder, env: { ...ENV, NO_COLOR: '1' } });
  const [, port] = await process.printed(/Listening on http:\/\/[\w.]+:(\d+)/);
  return {
    port: Number(port),
    end: () => {
      process.signal('SIGTERM');
      return process.exited;
    },
    async dispose() {
      await process.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

describe.each([
  ['Hono on Node', [], () => onNode('server/web-handler.ts')],
  [
    'Hono on Bun',
    // Bun's server parses requests itself, and sends bodies that are streams without Content-Length.
    [
      '[ERR-5] responds 400 to malformed HTTP and keeps running',
      '[LIMIT-1] rejects a request by its Content-Length before its body is sent',
      '[READ-20] sends the whole body of a closed stream with its own type',
    ],
    () => onRuntime('server/bun.mjs', 'bun'),
  ],
  ['Hono on Deno', [], () => onRuntime('server/deno.mjs', 'deno run --allow-all')],
  ['Fastify', [], () => onNode('server/fastify.ts')],
  ['NestJS', [], () => onNode('server/nest.ts')],
] as const)(
  '%s, as in [server/bun.mjs], [server/deno.mjs], [server/fastify.ts], [server/nest.ts]',
  (_title, limitations, start) => {
    let server: Server;
    let model: StandInModel;
    let front: Front;

    beforeAll(async () => {
      [server, model, front] = await Promise.all([start(), startModel(), startFront()]);
      front.route({ '/': `http://127.0.0.1:${server.port}` });
    }, 60_000);
    afterAll(async () => {
      await server?.dispose();
      await Promise.all([model?.close(), front?.close()]);
    });

    it('passes the conformance tests', { timeout: 240_000 }, async () => {
      const { tests, passed } = await runProxyConformance({
        url: `http://127.0.0.1:${server.port}/v1/proxy`,
        secret: SECRET,
        extensions: true,
        signUrl: (urlOptions) => signStreamUrl({ jwtSecret: SECRET, ...urlOptions }),
      });
      const failed = tests.filter(({ status }) => status === 'failed').map(({ title }) => title);
      expect(failed.toSorted()).toEqual(limitations.toSorted());
      expect(passed).toBeGreaterThan(100);
    });

    /** Reads the first half of an answer. */
    const begin = async () => {
      model.reset();
      model.behavior = 'slow';
      const proxyUrl = `${front.origin}/v1/proxy`;
      const durableFetch = createDurableFetch({ proxyUrl, proxyAuthorization: SECRET });
      const answer = await durableFetch(`${model.url}/text`, { body: '{}', requestId: crypto.randomUUID() });
      const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
      let text = (await reader.read()).value!;
      expect(text).toBe(FIRST_HALF);
      return async () => {
        model.finish();
        for (let next = await reader.read(); !next.done; next = await reader.read()) text += next.value;
        expect([text, await answer.outcome, model.calls.length]).toEqual([ANSWER, 'complete', 1]);
      };
    };

    it('resumes an answer whose connection was cut', async () => {
      const finish = await begin();
      front.cut();
      await finish();
    });

    it('completes a running answer after SIGTERM, and then exits', async () => {
      const finish = await begin();
      const exited = server.end();
      const headers = { authorization: `Bearer ${SECRET}` };
      const create = () => fetch(`${front.origin}/v1/proxy`, { method: 'POST', headers });
      await expect.poll(async () => (await create()).status).toBe(503);
      await finish();
      expect(await exited).toBe(0);
    });
  },
);
