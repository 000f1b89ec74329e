// @vitest-environment jsdom
import { act, fireEvent, render, screen, waitFor, within } from '@testing-library/react';
import { beforeEach, describe, expect, it } from 'vitest';
import { createDurableFetch } from '../../core-client/index.ts';
import { Devtools } from '../../react/devtools/Devtools.tsx';
import { DurableDevtools } from '../../react/devtools/index.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();
const originalFetch = window.fetch;

/** Asks the model, and returns the body as far as it was read. */
async function ask(query = '') {
  const durableFetch = createDurableFetch({ ...world.client, retryTimeoutMs: 2_000 });
  const response = durableFetch(`${world.upstream.url}${query}`, {
    method: 'POST',
    headers: { authorization: 'Bearer sk-of-the-provider' },
    body: '{}',
    requestId: crypto.randomUUID(),
  });
  const exchange = (await world.upstream.next()).begin('text/plain');
  const read = response.then((answer) => answer.text());
  return { exchange, read, response };
}

const click = (name: string) => fireEvent.click(screen.getByRole('button', { name }));
const fact = (name: string) => screen.getByText(name, { selector: 'dt' }).nextElementSibling!.textContent;
const shows = (name: string, value: string | RegExp) => waitFor(() => expect(fact(name)).toMatch(value));
const timeline = () =>
  within(screen.getByRole('list', { name: 'Timeline' }))
    .getAllByRole('listitem')
    .map((item) => item.lastElementChild!.textContent);

describe('the devtools', () => {
  beforeEach(() => void render(<Devtools initialIsOpen />));

  it('show state, offset, attempts and timeline of an answer', async () => {
    const { exchange, read } = await ask();
    exchange.raw('hello ');
    await shows('State', 'streaming');
    await shows('Received', '6 bytes');
    expect(fact('Attempts')).toBe('0');
    exchange.end('world');
    expect(await read).toBe('hello world');
    await shows('State', 'complete');
    expect(fact('Request')).toBe(`POST ${world.upstream.url}`);
    expect(fact('Received')).toBe('11 bytes');
    expect(fact('Offset')).toMatch(/\d/);
    expect(timeline()).toEqual([
      'Asks the proxy',
      expect.stringMatching(/^Response 20\d, new stream$/),
      'First bytes',
      'Closed: complete',
    ]);
  });

  it('drop the connection, after which the answer continues', async () => {
    const { exchange, read } = await ask();
    exchange.raw('hello ');
    await shows('State', 'streaming');
    click('Drop the connection');
    expect(screen.getByRole('status').textContent).toBe('Dropped 1 connection');
    await waitFor(() => expect(timeline()).toContain('Connection lost, attempt 1 follows'));
    exchange.end('world');
    expect(await read).toBe('hello world');
    await shows('State', 'complete');
    expect(timeline().join()).toMatch(/Reads from offset \S+,Connected \(200\),Continues,Closed: complete$/);
    expect(world.upstream.exchanges).toHaveLength(1);
  });

  it('count the attempts while the page is offline', async () => {
    const { exchange, read } = await ask();
    exchange.raw('hello ');
    await shows('State', 'streaming');
    click('Go offline for 5 s');
    await shows('State', 'reconnecting');
    await shows('Attempts', /[2-9]/);
    exchange.end('world');
    expect(await read).toBe('hello world');
    await shows('Attempts', '0');
  });

  it('slow the reader, without losing a byte', async () => {
    click('Slow the reader');
    expect(screen.getByRole('button', { name: 'Slow the reader' }).getAttribute('aria-pressed')).toBe('true');
    const { exchange, read } = await ask();
    const text = 'a long answer '.repeat(60);
    exchange.end(text);
    await shows('Received', /^[1-9]\d{0,2} bytes/);
    click('Slow the reader');
    expect(await read).toBe(text);
  });

  it('clear what the clients have stored, and nothing else', async () => {
    localStorage.setItem('of-the-app', 'kept');
    const { exchange, read } = await ask();
    await waitFor(() => expect(Object.keys(localStorage).join()).toContain('durable-proxy:'));
    click('Clear storage');
    expect(Object.keys(localStorage)).toEqual(['of-the-app']);
    exchange.end();
    await read;
  });

  it('show no signature, key or credential', async () => {
    const { exchange, read, response } = await ask('?api_key=of-the-page');
    exchange.end('hello');
    await read;
    await shows('State', 'complete');
    const { searchParams } = new URL((await response).streamUrl!);
    const page = document.documentElement.outerHTML;
    expect(page).toContain((await response).streamId);
    for (const secret of [searchParams.get('signature')!, 'of-the-page', 'sk-of-the-provider'])
      expect(page).not.toContain(secret);
    expect(page).not.toContain(world.client.proxyAuthorization);
  });

  it('leave other requests alone', async () => {
    const response = fetch(`${world.upstream.url}/other`);
    (await world.upstream.next()).begin('text/plain').end('as it is');
    expect(await (await response).text()).toBe('as it is');
    expect(screen.queryByRole('list', { name: 'Answers' })).toBeNull();
  });

  it('close on Escape', () => {
    fireEvent.keyDown(screen.getByRole('region', { name: 'durable-proxy devtools' }), { key: 'Escape' });
    screen.getByRole('button', { name: 'Open durable-proxy devtools' });
  });
});

describe('the entry point of the devtools', () => {
  it('wraps `fetch` while the panel is mounted', () => {
    const { unmount } = render(<Devtools />);
    expect(window.fetch).not.toBe(originalFetch);
    act(unmount);
    expect(window.fetch).toBe(originalFetch);
  });

  it('renders nothing outside development', () => {
    const { container } = render(<DurableDevtools initialIsOpen />);
    expect(container.innerHTML).toBe('');
    expect(window.fetch).toBe(originalFetch);
  });
});
