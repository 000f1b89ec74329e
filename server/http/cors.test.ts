import { createServer } from 'node:http';
import request from 'supertest';
import { describe, expect, it } from 'vitest';
import { EXPOSED_HEADERS } from '../../protocol/headers.ts';
import { corsMiddleware } from './cors.ts';
import type { CorsOptions } from './cors-options.ts';

function serverWith(options: CorsOptions) {
  const middleware = corsMiddleware(options);
  return createServer((req, res) => middleware(req, res, () => res.end()));
}

const list = (value: string | undefined): string[] => (value ?? '').split(',');

describe("the operator's CORS options", () => {
  it.each([
    ['a list', ['X-Trace-Id', 'etag']],
    ['text', 'X-Trace-Id, etag'],
  ] as const)('add exposed headers given as %s to those of the protocol', async (_form, exposedHeaders) => {
    const response = await request(serverWith({ exposedHeaders: exposedHeaders as string | string[] }))
      .get('/')
      .set('origin', 'https://chat.example.com');
    const exposed = list(response.get('access-control-expose-headers')).map((name) => name.toLowerCase());
    expect(exposed).toEqual(expect.arrayContaining(EXPOSED_HEADERS.map((name) => name.toLowerCase())));
    expect(exposed.filter((name) => name === 'etag')).toHaveLength(1);
    expect(exposed).toContain('x-trace-id');
  });

  it('add methods and allowed headers to those that a preflight asks for', async () => {
    const options = { methods: ['PUT'], allowedHeaders: 'X-Mine', origin: 'https://chat.example.com' };
    const response = await request(serverWith(options))
      .options('/')
      .set('origin', 'https://chat.example.com')
      .set('access-control-request-method', 'POST')
      .set('access-control-request-headers', 'x-api-key');
    expect(list(response.get('access-control-allow-methods'))).toEqual(
      expect.arrayContaining(['POST', 'PATCH', 'PUT']),
    );
    expect(list(response.get('access-control-allow-headers'))).toEqual(
      expect.arrayContaining(['Authorization', 'X-Mine', 'x-api-key']),
    );
    expect(response.get('access-control-allow-origin')).toBe('https://chat.example.com');
  });
});
