import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { upstreamHeaders } from './upstream-headers.ts';

const env = { OPENAI_API_KEY: 'sk-secret' };

async function authorizationFor(url: string, values: readonly string[]): Promise<string | null> {
  const headers = new Headers();
  const req = new IncomingMessage(new Socket());
  await upstreamHeaders(
    values,
    env,
  )({ url: new URL(url), method: 'POST', headers, subject: undefined, purpose: 'create' as const, req });
  return headers.get('authorization');
}

describe('--upstream-header', () => {
  const openai = ['api.openai.com: Authorization: Bearer $OPENAI_API_KEY'];

  it('adds the header to requests to its host, with environment variables replaced', async () => {
    expect(await authorizationFor('https://api.openai.com/v1/responses', openai)).toBe('Bearer sk-secret');
  });

  it.each(['https://api.openai.com.evil.example/', 'https://openai.com/', 'http://api.openai.com/'])(
    'adds nothing to a request to %s',
    async (url) => {
      expect(await authorizationFor(url, openai)).toBeNull();
    },
  );

  it('accepts a port, a wildcard and a variable in braces', async () => {
    expect(await authorizationFor('http://localhost:11434/v1', ['localhost:11434: Authorization: a'])).toBe(
      'a',
    );
    expect(
      await authorizationFor('https://eu.example.com/', ['*.example.com: Authorization: ${OPENAI_API_KEY}!']),
    ).toBe('sk-secret!');
  });

  it.each([
    ['a URL for a host', 'https://api.openai.com/: Authorization: sk-typed'],
    ['no host', 'Authorization: sk-typed'],
    ['an invalid header name', 'api.openai.com: Authori(zation: sk-typed'],
    ['an unset variable', 'api.openai.com: Authorization: sk-typed $MISSING_KEY'],
  ])('refuses %s, and does not repeat the value', (_title, value) => {
    expect(() => upstreamHeaders([value], env)).toThrow(
      expect.objectContaining({
        name: 'UsageError',
        message: expect.not.stringContaining('sk-typed') as unknown as string,
      }),
    );
  });
});
