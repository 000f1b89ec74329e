import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import * as zlib from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { classifyBodyError, discardBody, readErrorBody, type UpstreamClient } from './client.ts';
import { rawStandIn, requestTo, standIn, testClient, type StandIn } from './stand-in.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function closing<T extends StandIn | UpstreamClient>(thing: T): T {
  closers.push(() => thing.close());
  return thing;
}

const answerOf = async (upstream: StandIn, options = {}) =>
  closing(testClient(options)).request(requestTo(upstream.url));

/** Unlike `once`, which rejects on errors. */
const closed = (body: Readable) => new Promise<void>((resolve) => body.once('close', () => resolve()));

/** Reads a body that fails. Returns the received text and the error. */
async function broken(body: Readable): Promise<{ got: string; error: NodeJS.ErrnoException }> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of body) chunks.push(chunk as Buffer);
  } catch (error) {
    return { got: Buffer.concat(chunks).toString(), error: error as NodeJS.ErrnoException };
  }
  return expect.fail('the body ended as if it were whole');
}

/**
 * Returns how much of an unread body is buffered, measured when another body of the same size has been read to its end.
 */
async function heldBack(
  bytes: Buffer,
  head: OutgoingHttpHeaders,
): Promise<{ body: Readable; res: ServerResponse }> {
  const answers: ServerResponse[] = [];
  const upstream = closing(
    await standIn((_, res) => {
      answers.push(res);
      res.writeHead(200, head).end(bytes);
    }),
  );
  const client = closing(testClient());
  const { body } = await client.request(requestTo(upstream.url));
  await once(body, 'readable');
  for await (const _ of (await client.request(requestTo(upstream.url))).body);
  return { body, res: answers[0] ?? expect.fail('no answer') };
}

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n';
const CHUNKED = `${HEAD}Transfer-Encoding: chunked\r\n\r\n`;

describe('a body that ends early', () => {
  it.each([
    ['is cut between chunks', `${CHUNKED}5\r\nfirst\r\n`],
    ['is cut within a chunk', `${CHUNKED}ff\r\nfirst`],
    ['is shorter than it said', `${HEAD}Content-Length: 100\r\n\r\nfirst`],
    ['is chunked wrongly', `${CHUNKED}5\r\nfirst\r\nZZ\r\n`],
  ])('delivers the received bytes, then an error, when it %s', async (_, bytes) => {
    const upstream = closing(await rawStandIn((socket) => socket.end(bytes)));
    const { got, error } = await broken((await answerOf(upstream)).body);
    expect(got).toBe('first');
    expect(classifyBodyError(error)).toBe('upstream-error');
    await upstream.idle();
  });

  it('delivers the received bytes, then an error, when it is reset within a chunk', async () => {
    let reset!: () => void;
    const upstream = closing(
      await rawStandIn((socket) => {
        socket.write(`${CHUNKED}ff\r\nfirst`);
        reset = () => socket.resetAndDestroy();
      }),
    );
    const { body } = await answerOf(upstream);
    body.once('data', () => reset());
    const { error } = await broken(body);
    expect(classifyBodyError(error)).toBe('upstream-error');
    expect(error.code).toBe('ECONNRESET');
    await upstream.idle();
  });

  it('loses nothing if it is read long after it has ended', async () => {
    const upstream = closing(
      await rawStandIn((socket) => socket.end(`${CHUNKED}5\r\nfirst\r\n6\r\nsecond\r\n`)),
    );
    const { body } = await answerOf(upstream);
    await upstream.idle();
    expect(body.destroyed).toBe(false);
    const got: string[] = [];
    body.on('data', (chunk) => got.push(String(chunk)));
    await closed(body);
    expect(got.join('')).toBe('firstsecond');
    expect(body.errored).toMatchObject({ code: 'UND_ERR_SOCKET' });
  });

  it('delivers its error to a late listener, also without a byte', async () => {
    const upstream = closing(await rawStandIn((socket) => socket.end(CHUNKED)));
    const { body } = await answerOf(upstream);
    await upstream.idle();
    const failed = new Promise((resolve) => body.once('error', resolve));
    body.resume();
    expect(await failed).toMatchObject({ code: 'UND_ERR_SOCKET' });
  });

  it('loses nothing while it is paused', async () => {
    const upstream = closing(
      await rawStandIn((socket) => socket.end(`${CHUNKED}5\r\nfirst\r\n6\r\nsecond\r\n`)),
    );
    const { body } = await answerOf(upstream);
    const got: string[] = [];
    body.once('data', () => body.pause()).on('data', (chunk) => got.push(String(chunk)));
    await upstream.idle();
    body.resume();
    await closed(body);
    expect(got.join('')).toBe('firstsecond');
    expect(body.errored).toMatchObject({ code: 'UND_ERR_SOCKET' });
  });

  it('fails with a timeout and closes the connection if the upstream sends nothing', async () => {
    const upstream = closing(await standIn((_, res) => res.write('first')));
    const { got, error } = await broken((await answerOf(upstream, { inactivityTimeoutMs: 50 })).body);
    expect(got).toBe('first');
    expect(classifyBodyError(error)).toBe('timeout');
    await upstream.idle();
  });

  it('does not time out while it is paused', async () => {
    let res!: ServerResponse;
    const upstream = closing(
      await standIn((_, answer) => void (res = answer).write(Buffer.alloc(1_000_000))),
    );
    const client = closing(testClient({ inactivityTimeoutMs: 50 }));
    const { body } = await client.request(requestTo(upstream.url));
    // Another request on the same timer times out first.
    const other = await client.request(requestTo(upstream.url));
    expect(classifyBodyError((await broken(other.body)).error)).toBe('timeout');
    expect(body.errored).toBeNull();
    discardBody(body);
    res.destroy();
    await upstream.idle();
  });

  it('classifies any other error', () => {
    for (const error of [undefined, null, 'x', new Error('x'), { code: 7 }]) {
      expect(classifyBodyError(error)).toBe('upstream-error');
    }
  });
});

describe('a body', () => {
  it('applies backpressure while it is not read, and delivers everything later', async () => {
    const whole = Buffer.alloc(32 * 1_048_576, 'x');
    const { body, res } = await heldBack(whole, {});
    expect(res.writableFinished).toBe(false);
    expect(body.readableLength).toBeLessThan(1_048_576);
    expect((await buffer(body)).equals(whole)).toBe(true);
  });

  it('closes the connection when it is destroyed', async () => {
    let res!: ServerResponse;
    const upstream = closing(await standIn((_, answer) => void (res = answer).write('first')));
    const { body } = await answerOf(upstream);
    const closed = once(res, 'close');
    discardBody(body);
    await closed;
    await upstream.idle();
  });

  it.each([204, 205, 304])('of a %i is empty', async (status) => {
    const upstream = closing(
      await standIn((_, res) => res.writeHead(status, { 'Content-Encoding': 'gzip' }).end()),
    );
    expect(await buffer((await answerOf(upstream)).body)).toHaveLength(0);
  });
});

const CODINGS = {
  gzip: [zlib.createGzip, zlib.gzipSync],
  'x-gzip': [zlib.createGzip, zlib.gzipSync],
  deflate: [zlib.createDeflate, zlib.deflateSync],
  br: [zlib.createBrotliCompress, zlib.brotliCompressSync],
} as const;

describe.each(Object.entries(CODINGS))('a body in %s', (coding, [createEncoder, encode]) => {
  const head = { 'Content-Type': 'text/event-stream', 'Content-Encoding': coding.toUpperCase() };

  it('is decoded, and its headers have no content coding', async () => {
    const bytes = Buffer.from('data: {"ü":1}\n\n'.repeat(10_000));
    const encoded = encode(bytes);
    const upstream = closing(
      await standIn((_, res) =>
        res.writeHead(200, { ...head, 'Content-Length': encoded.length }).end(encoded),
      ),
    );
    const { headers, body } = await answerOf(upstream);
    expect(headers['content-type']).toBe('text/event-stream');
    expect(headers).not.toHaveProperty('content-encoding');
    expect(headers).not.toHaveProperty('content-length');
    expect((await buffer(body)).equals(bytes)).toBe(true);
  });

  it('delivers each chunk when it arrives', async () => {
    const encoder = createEncoder();
    const upstream = closing(await standIn((_, res) => encoder.pipe(res.writeHead(200, head))));
    const asked = answerOf(upstream);
    const pieces = ['first', 'second', 'third'];
    encoder.write(pieces[0]);
    encoder.flush();
    const { body } = await asked;
    for (const piece of pieces) {
      const [chunk] = (await once(body, 'data')) as [Buffer];
      expect(chunk.toString()).toBe(piece);
      const next = pieces[pieces.indexOf(piece) + 1];
      if (next === undefined) encoder.end();
      else {
        encoder.write(next);
        encoder.flush();
      }
    }
    await once(body, 'end');
  });

  it('fails after the decoded bytes if its coding is incomplete', async () => {
    const encoded = encode(Buffer.from('x'.repeat(100)));
    const upstream = closing(
      await standIn((_, res) => res.writeHead(200, head).end(encoded.subarray(0, -3))),
    );
    const { error } = await broken((await answerOf(upstream)).body);
    expect(classifyBodyError(error)).toBe('upstream-error');
  });

  it('delivers the received bytes, then the error of the connection, if it is cut', async () => {
    const encoder = createEncoder();
    const upstream = closing(
      await standIn((_, res) => {
        res.writeHead(200, head);
        encoder.on('data', (chunk) => res.write(chunk));
        encoder.write('first');
        encoder.flush(() => setImmediate(() => res.destroy()));
      }),
    );
    const { got, error } = await broken((await answerOf(upstream)).body);
    expect(got).toBe('first');
    expect(error.code).toMatch(/UND_ERR_SOCKET|ECONNRESET/);
    await upstream.idle();
  });

  it('fails and closes the connection if it cannot be decoded', async () => {
    const upstream = closing(
      await standIn((_, res) => res.writeHead(200, head).write(Buffer.alloc(100_000, 0xf7))),
    );
    const { body } = await answerOf(upstream);
    await upstream.idle();
    const { error } = await broken(body);
    expect(classifyBodyError(error)).toBe('upstream-error');
  });

  it('applies backpressure while it is not read, and delivers everything later', async () => {
    const whole = randomBytes(12 * 1_048_576);
    const fast = { level: 1, params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } };
    const { body, res } = await heldBack(encode(whole, fast), head);
    expect(res.writableFinished).toBe(false);
    expect(body.readableLength).toBeLessThan(1_048_576);
    expect((await buffer(body)).equals(whole)).toBe(true);
  });

  it('is decoded only as far as it is read, whatever its compression ratio', async () => {
    const { body } = await heldBack(encode(Buffer.alloc(32 * 1_048_576)), head);
    expect(body.readableLength).toBeLessThan(1_048_576);
    discardBody(body);
  });
});

describe('a body in an unsupported coding', () => {
  it.each(['compress', 'gzip, br', 'snappy'])('is rejected: %s', async (coding) => {
    const upstream = closing(
      await standIn((_, res) => res.writeHead(200, { 'Content-Encoding': coding }).write('x')),
    );
    await expect(answerOf(upstream)).rejects.toMatchObject({ name: 'ProxyError', code: 'UPSTREAM_ERROR' });
    await upstream.idle();
  });

  it('is not rejected for identity', async () => {
    const upstream = closing(
      await standIn((_, res) => res.writeHead(200, { 'Content-Encoding': 'Identity' }).end('x')),
    );
    expect(String(await buffer((await answerOf(upstream)).body))).toBe('x');
  });
});

describe('readErrorBody', () => {
  it('reads a short body completely and keeps the connection open', async () => {
    const upstream = closing(await standIn((_, res) => res.writeHead(429).end('{"error":1}')));
    const client = closing(testClient());
    for (let i = 0; i < 10; i++) {
      const { body } = await client.request(requestTo(upstream.url));
      expect(String(await readErrorBody(body, 100))).toBe('{"error":1}');
    }
    expect(upstream.accepted()).toBeLessThanOrEqual(2);
  });

  it.each([0, 1, 99_999, 100_000])('truncates at %i bytes and closes the connection', async (limit) => {
    const upstream = closing(
      await standIn((_, res) => res.writeHead(500).write(Buffer.alloc(1_000_000, 'x'))),
    );
    const { body } = await answerOf(upstream);
    expect(await readErrorBody(body, limit)).toHaveLength(limit);
    await upstream.idle();
  });

  it('applies the limit after decoding', async () => {
    const bomb = zlib.gzipSync(Buffer.alloc(50_000_000));
    const upstream = closing(
      await standIn((_, res) => res.writeHead(500, { 'Content-Encoding': 'gzip' }).end(bomb)),
    );
    expect(await readErrorBody((await answerOf(upstream)).body, 1_000)).toHaveLength(1_000);
  });

  it('returns the received bytes if the body ends early', async () => {
    const upstream = closing(await rawStandIn((socket) => socket.end(`${CHUNKED}5\r\nfirst\r\n`)));
    expect(String(await readErrorBody((await answerOf(upstream)).body, 100))).toBe('first');
  });

  it('returns the received bytes and closes the connection if the body takes too long', async () => {
    const upstream = closing(await standIn((_, res) => res.writeHead(500).write('first')));
    expect(String(await readErrorBody((await answerOf(upstream)).body, 100, 50))).toBe('first');
    await upstream.idle();
  });
});
