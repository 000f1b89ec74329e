import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { exec, installConsumer, repositoryPackage, type Consumer } from './consumer.ts';

/** What a newcomer writes, with the options of the API that people move over from. */
const PROGRAM = `
const { createServer } = await import('node:http');
const upstream = createServer((req, res) => {
  res.writeHead(200, { 'content-type': 'text/event-stream' });
  res.write('data: 世');
  setImmediate(() => res.end('界 👋\\n\\n'));
}).listen(0, '127.0.0.1');
await new Promise((resolve) => upstream.once('listening', resolve));
const upstreamUrl = \`http://127.0.0.1:\${upstream.address().port}/v1/chat\`;

const server = await createProxyServer({
  port: 0,
  dataDir: process.argv[2],
  jwtSecret: 'test-secret-key-for-development',
  allowlist: ['http://127.0.0.1:*/**'],
  streamTtlSeconds: 60,
  urlExpirationSeconds: 60,
  maxResponseBytes: 1024 * 1024,
});
const created = await fetch(server.url + '/v1/proxy?secret=test-secret-key-for-development', {
  method: 'POST',
  headers: { 'upstream-url': upstreamUrl, 'upstream-method': 'POST', 'content-type': 'application/json' },
  body: '{}',
});
const location = new URL(created.headers.get('location'), server.url);
let text = '';
for (let offset = '-1', closed = false; !closed; ) {
  location.searchParams.set('offset', offset);
  location.searchParams.set('live', 'long-poll');
  const read = await fetch(location);
  text += await read.text();
  offset = read.headers.get('stream-next-offset');
  closed = read.headers.get('stream-closed') === 'true';
}
const durableFetch = createDurableFetch({
  proxyUrl: server.url + '/v1/proxy',
  proxyAuthorization: 'test-secret-key-for-development',
});
const answer = await durableFetch(upstreamUrl, { method: 'POST', body: '{}', requestId: 'chat-1' });
const health = await fetch(server.url + '/health');
console.log(JSON.stringify({
  node: process.versions.node.split('.')[0],
  created: created.status,
  type: created.headers.get('upstream-content-type'),
  text,
  client: [await answer.text(), await answer.outcome],
  health: await health.json(),
}));
await server.stop();
upstream.close();
`;

const FORMS = {
  esm: {
    file: 'program.mjs',
    text: `import { createProxyServer } from 'durable-proxy';\nimport { createDurableFetch } from 'durable-proxy/client';\n${PROGRAM}`,
  },
  cjs: {
    file: 'program.cjs',
    text: `const { createProxyServer } = require('durable-proxy');\nconst { createDurableFetch } = require('durable-proxy/client');\n(async () => {${PROGRAM}})();`,
  },
};

describe('the packed package, from outside', () => {
  let consumer: Consumer;

  beforeAll(async () => {
    consumer = await installConsumer(inject('tarball'));
    for (const { file, text } of Object.values(FORMS)) await writeFile(join(consumer.folder, file), text);
  });
  afterAll(() => consumer?.remove());

  // The oldest and the newest version that are supported. The examples and this repository run on the one that is installed.
  for (const version of ['20', '24']) {
    for (const [form, { file }] of Object.entries(FORMS)) {
      it(`streams through createProxyServer and createDurableFetch on Node ${version} (${form})`, async ({
        skip,
      }) => {
        if (consumer.unreachable !== undefined) skip('the package could not be installed: no network?');
        const dataDir = join(consumer.folder, `${version}-${form}`);
        await mkdir(dataDir);
        const { stdout } = await runOn(version, [file, dataDir]);
        expect(JSON.parse(stdout)).toEqual({
          node: version,
          created: 201,
          type: 'text/event-stream',
          text: 'data: 世界 👋\n\n',
          client: ['data: 世界 👋\n\n', 'complete'],
          health: { status: 'ok' },
        });
      });
    }
  }

  it('contains the command', async ({ skip }) => {
    if (consumer.unreachable !== undefined) skip('the package could not be installed: no network?');
    const { stdout } = await exec('npx', ['--no-install', 'durable-proxy', '--version'], {
      cwd: consumer.folder,
    });
    expect(stdout.trim()).toBe((await repositoryPackage()).version);
  });

  /** Other Nodes come from npm, as the package `node`, into npm's own cache. */
  function runOn(version: string, args: string[]): Promise<{ stdout: string }> {
    if (process.versions.node.startsWith(`${version}.`))
      return exec(process.execPath, args, { cwd: consumer.folder });
    return exec('npx', ['-y', '-p', `node@${version}`, 'node', ...args], { cwd: consumer.folder });
  }
});
