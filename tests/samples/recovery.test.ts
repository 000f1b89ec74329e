import { expect, it } from 'vitest';
import { recovery } from './server/recovery.ts';

it('[server/recovery.ts] continues runs of an app by the id in its first response', async () => {
  const none = async function* () {
    // Nothing is stored.
  };
  const request = { url: 'https://agents.example.com/chat', method: 'POST', headers: new Headers() };
  const response = { status: 200, headers: new Headers() };
  const [own] = recovery.filter((each) =>
    each.matches({ request: { ...request, body: undefined }, response }),
  );
  const resume = await own?.resume({
    request,
    responseHeaders: new Headers({ 'x-run-id': 'r1' }),
    events: { fromStart: none, fromEnd: none },
  });
  expect(own?.name).toBe('last-event-id');
  expect(resume?.url).toBe('https://agents.example.com/runs/r1');
});
