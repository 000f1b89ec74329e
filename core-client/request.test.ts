import { describe, expect, it } from 'vitest';
import { readRequest } from './request.ts';

const URL_ = 'https://api.example.com/v1/x?y=1';
const text = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes);

describe('reading the arguments of fetch', () => {
  it('accepts a string, a URL and a Request', async () => {
    const request = new Request(URL_, { method: 'PUT', headers: { 'x-a': '1' }, body: 'hi' });
    expect(await readRequest(URL_)).toMatchObject({ url: URL_, method: 'GET', body: undefined });
    expect(await readRequest(new URL(URL_))).toMatchObject({ url: URL_, method: 'GET' });
    const read = await readRequest(request);
    expect(read).toMatchObject({ url: URL_, method: 'PUT' });
    expect(text(read.body)).toBe('hi');
    expect(read.headers.get('x-a')).toBe('1');
    expect(read.headers.get('content-type')).toBe('text/plain;charset=UTF-8');
  });

  it('overrides a Request with the init, field by field', async () => {
    const request = new Request(URL_, { method: 'PUT', headers: { 'x-a': '1' }, body: 'hi' });
    const read = await readRequest(request, { method: 'PATCH', headers: { 'x-b': '2' }, body: 'ho' });
    expect(read.method).toBe('PATCH');
    expect(text(read.body)).toBe('ho');
    expect([...read.headers.keys()].sort()).toEqual(['content-type', 'x-b']);
  });

  it('defaults to POST with a body, and to GET without one', async () => {
    expect((await readRequest(URL_, { body: 'hi' })).method).toBe('POST');
    expect((await readRequest(URL_, { body: '' })).method).toBe('POST');
    expect((await readRequest(URL_)).method).toBe('GET');
    expect((await readRequest(URL_, { method: 'delete' })).method).toBe('DELETE');
  });

  it('accepts every form of headers', async () => {
    for (const headers of [
      new Headers({ 'x-a': '1' }),
      [['x-a', '1']] as [string, string][],
      { 'x-a': '1' },
    ]) {
      expect((await readRequest(URL_, { headers })).headers.get('x-a')).toBe('1');
    }
  });

  it('accepts every kind of body, and derives its media type', async () => {
    const form = new FormData();
    form.set('file', new Blob(['abc']), 'a.txt');
    const stream = new Response('from a stream').body!;
    const cases: [BodyInit, string | RegExp, string | RegExp | null][] = [
      ['text', 'text', 'text/plain;charset=UTF-8'],
      [new TextEncoder().encode('bytes'), 'bytes', null],
      [new TextEncoder().encode('buffer').buffer, 'buffer', null],
      [new DataView(new TextEncoder().encode('view').buffer), 'view', null],
      [new Blob(['blob'], { type: 'image/png' }), 'blob', 'image/png'],
      [new URLSearchParams({ a: 'b c' }), 'a=b+c', 'application/x-www-form-urlencoded;charset=UTF-8'],
      [stream, 'from a stream', null],
      [form, /name="file"; filename="a\.txt"[^]*abc/, /^multipart\/form-data; boundary=/],
    ];
    for (const [body, content, type] of cases) {
      const read = await readRequest(URL_, { body });
      if (content instanceof RegExp) expect(text(read.body)).toMatch(content);
      else expect(text(read.body)).toBe(content);
      if (type instanceof RegExp) expect(read.headers.get('content-type')).toMatch(type);
      else expect(read.headers.get('content-type')).toBe(type);
    }
  });

  it('keeps the media type that the caller set', async () => {
    const read = await readRequest(URL_, { body: '{}', headers: { 'content-type': 'application/json' } });
    expect(read.headers.get('content-type')).toBe('application/json');
  });

  it('applies the rules of fetch', async () => {
    await expect(readRequest(URL_, { method: 'GET', body: 'x' })).rejects.toThrow(TypeError);
    await expect(readRequest(URL_, { method: 'CONNECT' })).rejects.toThrow(TypeError);
    await expect(readRequest('nowhere')).rejects.toThrow(TypeError);
    await expect(readRequest(URL_, { headers: { 'bad name': 'x' } })).rejects.toThrow(TypeError);
    const used = new Request(URL_, { method: 'POST', body: 'x' });
    await used.text();
    await expect(readRequest(used)).rejects.toThrow(TypeError);
  });

  it('uses the signal of the init, otherwise that of the Request; null means none', async () => {
    const { signal } = new AbortController();
    const own = new AbortController();
    const request = new Request(URL_, { signal: own.signal });
    expect((await readRequest(request, { signal })).signal).toBe(signal);
    expect((await readRequest(request, { signal: null })).signal).toBeUndefined();
    const kept = (await readRequest(request)).signal;
    own.abort();
    expect(kept?.aborted).toBe(true);
  });
});
