// @vitest-environment jsdom
import { act, render, screen, waitFor } from '@testing-library/react';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { StreamStatus, useDurableChat } from '../../react/index.ts';
import { textAnswer } from './support/answers.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();
let chat!: ReturnType<typeof useDurableChat>;

afterEach(() => {
  vi.restoreAllMocks();
});

function Page(options: Partial<Parameters<typeof useDurableChat>[0]>) {
  chat = useDurableChat({ api: world.upstream.url, ...world.client, retryTimeoutMs: 300, ...options });
  return <StreamStatus resumption={chat.resumption} />;
}

function ask(options: Partial<Parameters<typeof useDurableChat>[0]> = {}): void {
  render(<Page {...options} />);
  act(() => void chat.sendMessage({ text: 'Hello' }));
}

const says = (text: string) => waitFor(() => expect(screen.getByRole('status').textContent).toBe(text));

describe('a request that was refused', () => {
  it.each([
    [
      'OpenAI',
      400,
      '{"error":{"message":"Unknown model","type":"invalid_request_error","code":"model_not_found"}}',
      { message: 'Unknown model', providerCode: 'model_not_found' },
      'The request was refused: Unknown model',
    ],
    [
      'Anthropic',
      429,
      '{"type":"error","error":{"type":"rate_limit_error","message":"Slow down"}}',
      { message: 'Slow down', providerCode: 'rate_limit_error', retryAfterMs: 7000 },
      'Too many requests. Try again in 7 s.',
    ],
    [
      'Google',
      401,
      '[{"error":{"code":401,"message":"API key not valid","status":"UNAUTHENTICATED"}}]',
      { message: 'API key not valid', providerCode: 'UNAUTHENTICATED' },
      'You are not signed in, or your session has ended.',
    ],
    [
      'a backend that broke down',
      500,
      '<html>Internal Server Error</html>',
      { message: 'The request failed with status 500' },
      'The request was refused: The request failed with status 500',
    ],
  ])('shows its reason if it was refused by %s', async (_, status, body, error, words) => {
    ask();
    const headers = { 'retry-after': '7' };
    (await world.upstream.next()).begin('application/json', status, headers).end(body);
    await says(words);
    expect(chat.error).toMatchObject({ ...error, status });
    expect(chat.resumption).toMatchObject({ status: 'failed', error });
  });

  it('shows the name of the option if the allowlist refused it', async () => {
    ask({ api: 'https://not-allowed.example/api/chat' });
    await says('The proxy does not allow this URL. Add it to its option allowlist.');
    expect(chat.error).toMatchObject({ code: 'UPSTREAM_NOT_ALLOWED', status: 403 });
    expect(chat.error?.message).toContain('allowlist');
  });

  it('shows that the proxy refused its credentials', async () => {
    ask({ proxyAuthorization: 'wrong' });
    await says('You are not signed in, or your session has ended.');
    expect(chat.error).toMatchObject({ code: 'INVALID_SECRET', status: 401 });
  });
});

describe('a request that was not sent', () => {
  it('shows that the server cannot be reached', async () => {
    world.relay.down();
    ask();
    await says('The server cannot be reached.');
    world.relay.up();
  });

  it('shows that the browser is offline, and is sent when it is online again', async () => {
    vi.spyOn(navigator, 'onLine', 'get').mockReturnValue(false);
    world.relay.down();
    ask();
    await says('You are offline. The request continues when you are online again.');
    vi.restoreAllMocks();
    world.relay.up();
    act(() => void window.dispatchEvent(new Event('online')));
    const exchange = await world.upstream.next();
    exchange
      .begin()
      .send(...textAnswer('Hi'))
      .done();
    await says('');
  });
});

describe('a truncated answer', () => {
  it('is shown as cut off', async () => {
    ask();
    const exchange = (await world.upstream.next()).begin().send(...textAnswer('Hi').slice(0, 4));
    await says('Answering\u2026');
    exchange.destroy();
    await says('The answer was cut off.');
  });
});

describe('an error of the model', () => {
  it.each([
    ['in the answer', textAnswer('Hi').slice(0, 4)],
    ['instead of an answer', []],
  ])('is shown as such %s', async (_, before) => {
    ask();
    (await world.upstream.next())
      .begin()
      .send(...before, { type: 'error', errorText: 'Overloaded.' })
      .done();
    await says('The model reported an error.');
    await waitFor(() => expect(chat.error?.message).toBe('Overloaded.'));
    expect(chat.resumption.error).toMatchObject({ code: 'MODEL_FAILED', message: 'Overloaded.' });
  });
});
