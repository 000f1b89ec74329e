import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { parseCommand } from '../../server/cli/arguments.ts';
import { compileAllowlist } from '../../server/upstream/allowlist.ts';
import { forwardProxies } from '../../server/upstream/forward-proxy.ts';
import { SECRET } from '../support/proxy.ts';
import { startTlsServer } from '../support/tls.ts';
import { locationOf, post, readSse, withQuery } from '../support/wire.ts';
import { SAMPLES } from './support/bundle.ts';
import { startSample } from './support/server-process.ts';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

it('[server/dispatcher.ts] shows its certificate to the gateway', async () => {
  const gateway = await startTlsServer({ requireClient: true });
  cleanups.push(() => gateway.close());
  const GATEWAY = `https://127.0.0.1:${gateway.port}/v1`;
  const { cert, key } = gateway;
  const env = { JWT_SECRET: SECRET, GATEWAY, CLIENT_CERT: cert, CLIENT_KEY: key, GATEWAY_CA: cert };
  const sample = await startSample('server/dispatcher.ts', env);
  cleanups.push(() => sample.dispose());
  const url = `http://127.0.0.1:${sample.port}`;
  const created = await post({ base: `${url}/v1/proxy` }, GATEWAY);
  expect(created.status).toBe(201);
  const live = await fetch(withQuery(locationOf({ url }, created), { live: 'sse' }));
  expect((await readSse(live)).bytes.toString()).toBe(`hello from 127.0.0.1:${gateway.port}`);
});

it('[deployment/forward-proxy.sh] names a forward proxy, and reaches hosts of the cluster directly', async () => {
  const sample = await readFile(join(SAMPLES, 'deployment/forward-proxy.sh'), 'utf8');
  const env = Object.fromEntries(
    [...sample.matchAll(/^export (\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]),
  );
  expect(forwardProxies(env as NodeJS.ProcessEnv)).toMatchObject({
    httpsProxy: 'http://proxy.example.com:3128/',
    noProxy: expect.stringContaining('.svc.cluster.local') as string,
  });
  const [, args = ''] = /durable-proxy (.*)/.exec(sample) ?? [];
  const command = parseCommand(
    args.split(' ').map((arg) => arg.replaceAll("'", '')),
    { JWT_SECRET: SECRET },
  );
  if (command.kind !== 'serve') throw new Error(`the command is ${command.kind}`);
  const allowlist = compileAllowlist(command.options.allowlist ?? []);
  expect(allowlist.check('http://model.svc.cluster.local:8000/v1')).toMatchObject({ literalHost: true });
});
