import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createDurableFetch } from 'durable-proxy/client';
import { temporaryFolder } from '../support/proxy.ts';
import { loadSample } from './support/load.ts';
import { ANSWER, FIRST_HALF, startModel, type StandInModel } from './support/model.ts';

const SECRET = 'a-secret-of-the-samples-that-is-long-enough';

type Route = (event: { request: Request }) => Promise<Response>;

/** The exports of a module of a route. TanStack Start calls the handler of a route, the others a function. */
interface Routes extends Record<'fallback' | 'loader' | 'action', Route> {
  readonly Route: { readonly server: { readonly handlers: { readonly ANY: Route } } };
}

/** Imports a sample with a data directory of its own. */
async function routesOf(sample: string, dataDir: string): Promise<Routes> {
  process.env['JWT_SECRET'] = SECRET;
  const allowlist = `allowlist: ['http://127.0.0.1:*/**'], dataDir: ${JSON.stringify(dataDir)}`;
  return loadSample(sample, {
    replace: {
      "allowlist: ['https://api.openai.com/**']": allowlist,
      // Not installed here. The real function returns an object with these options, too.
      "import { createFileRoute } from '@tanstack/react-router';":
        'const createFileRoute = () => (route) => route;',
    },
  });
}

let model: StandInModel;
beforeAll(async () => {
  model = await startModel();
});
afterAll(() => model.close());
afterEach(() => {
  model.finish();
  model.reset();
});

describe.each([
  ['server/sveltekit.ts', ({ fallback }: Routes): Route => fallback],
  [
    'server/react-router.ts',
    // React Router calls `loader` for GET and HEAD, and `action` for the other methods.
    ({ loader, action }: Routes): Route =>
      ({ request }) =>
        (/^(GET|HEAD)$/.test(request.method) ? loader : action)({ request }),
  ],
  ['server/tanstack-start.ts', (module: Routes): Route => module.Route.server.handlers.ANY],
] as const)(
  'the route of [%s] ([server/sveltekit.ts], [server/react-router.ts], [server/tanstack-start.ts])',
  (sample, routeOf) => {
    let folder: Awaited<ReturnType<typeof temporaryFolder>>;
    let route: Route;
    beforeAll(async () => {
      folder = await temporaryFolder();
      route = routeOf(await routesOf(sample, folder.path));
    });
    afterAll(() => folder.remove());

    /** The client, whose requests go to the route as `Request` objects. `cut` fails the responses being read. */
    function client() {
      const connections = new Set<AbortController>();
      const durableFetch = createDurableFetch({
        proxyUrl: 'http://app.example.com/v1/proxy',
        proxyAuthorization: SECRET,
        fetch: async (input, init) => {
          const connection = new AbortController();
          connections.add(connection);
          const response = await route({ request: new Request(input, init) });
          const body = response.body?.pipeThrough(new TransformStream(), { signal: connection.signal });
          return new Response(body ?? null, response);
        },
      });
      const ask = () => durableFetch(`${model.url}/text`, { body: '{}', requestId: crypto.randomUUID() });
      const cut = () => {
        for (const connection of connections) connection.abort(new Error('The connection was cut'));
        connections.clear();
      };
      return { ask, cut };
    }

    it('streams an answer, and resumes it after a cut', async () => {
      const { ask, cut } = client();
      model.behavior = 'slow';
      const answer = await ask();
      const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
      let text = (await reader.read()).value!;
      expect(text).toBe(FIRST_HALF);
      cut();
      model.finish();
      for (let next = await reader.read(); !next.done; next = await reader.read()) text += next.value;
      expect([text, await answer.outcome, model.calls.length]).toEqual([ANSWER, 'complete', 1]);
    });

    it('stops an answer', async () => {
      const { ask } = client();
      model.behavior = 'slow';
      const answer = await ask();
      const call = await model.call(0);
      await answer.abort();
      expect(await call.closed).toBe(false);
    });
  },
);
