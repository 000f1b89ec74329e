import assert from 'node:assert/strict';
import { STREAM_CLOSED, UPSTREAM_CONTENT_TYPE } from '../../protocol/headers.ts';
import { AS, AS_UPSTREAM, LIVE, LIVE_SSE, OFFSET, OFFSET_START } from '../../protocol/query.ts';
import type { TestTools } from '../test-tools.ts';
import { section, test } from '../define.ts';
import { expectBytes, expectError, expectStatus } from '../expect.ts';
import type { TestResponse, RequestHeaders } from '../http-client.ts';
import type { Stream } from '../stream.ts';

const UPSTREAM = { [AS]: AS_UPSTREAM };

async function finished(t: TestTools, bytes: string | Buffer, contentType: string): Promise<Stream> {
  const stream = await t.start(t.reply(bytes, { contentType }));
  await stream.closed();
  return stream;
}

const head = (t: TestTools, stream: Stream, headers: RequestHeaders = {}): Promise<TestResponse> =>
  t.send(stream.at(UPSTREAM), { method: 'HEAD', headers });

export const asUpstream = section(
  'as-upstream',
  [
    test('[READ-20] sends the whole body of a closed stream with its own type', async (t) => {
      const bytes = Buffer.concat(Array.from({ length: 6 }, (_, i) => Buffer.alloc(1_000_000, i)));
      const stream = await finished(t, bytes, 'audio/ogg; codecs=opus');
      const response = await stream.read(UPSTREAM);
      await expectStatus(response, 200);
      assert.equal(response.header('content-type'), 'audio/ogg; codecs=opus');
      assert.equal(response.header('content-length'), String(bytes.length));
      assert.equal(response.header('accept-ranges'), 'bytes');
      assert.equal(response.header(STREAM_CLOSED), 'true');
      expectBytes(await response.bytes(), bytes);
    }),

    test('[READ-21][READ-22] sends types that browsers execute as an untyped download', async (t) => {
      const types = [
        'text/html',
        'application/xhtml+xml',
        'image/svg+xml',
        'text/xml',
        'audio/x+xml',
        'text/javascript',
        'text/css',
        'application/pdf',
        'audio/mpeg, text/html',
      ];
      for (const type of types) {
        const stream = await finished(t, '<script>alert(1)</script>', type);
        for (const response of [await stream.read(UPSTREAM), await head(t, stream)]) {
          await expectStatus(response, 200);
          assert.equal(response.header('content-type'), 'application/octet-stream', type);
          assert.match(response.header('content-disposition') ?? '', /^attachment\b/);
          assert.equal(response.header('x-content-type-options'), 'nosniff');
          assert.equal(response.header(UPSTREAM_CONTENT_TYPE), type);
        }
      }
    }),

    test('[READ-22] disables sniffing, and sandboxes the response as a document', async (t) => {
      for (const type of ['image/png', 'application/json', 'text/plain', 'text/event-stream', 'video/mp4']) {
        const response = await (await finished(t, '{}', type)).read(UPSTREAM);
        assert.equal(response.header('content-type'), type);
        assert.equal(response.header('x-content-type-options'), 'nosniff');
        assert.match(response.header('content-disposition') ?? '', /^inline\b/);
        assert.match(response.header('content-security-policy') ?? '', /\bsandbox\b/);
        assert.match(response.header('cache-control') ?? '', /\b(private|no-store)\b/);
      }
    }),

    test('[READ-23] a single range is a 206 with exactly these bytes', async (t) => {
      const stream = await finished(t, '0123456789', 'audio/mpeg');
      const cases = [
        ['bytes=0-0', '0', 'bytes 0-0/10'],
        ['bytes=2-5', '2345', 'bytes 2-5/10'],
        ['bytes=7-', '789', 'bytes 7-9/10'],
        ['bytes=-3', '789', 'bytes 7-9/10'],
        ['bytes=5-999', '56789', 'bytes 5-9/10'],
      ] as const;
      for (const [range, bytes, contentRange] of cases) {
        const response = await stream.read(UPSTREAM, { Range: range });
        assert.equal(response.status, 206, range);
        assert.equal(response.header('content-range'), contentRange);
        assert.equal(response.header('content-type'), 'audio/mpeg');
        assert.equal(response.header('content-length'), String(bytes.length));
        expectBytes(await response.bytes(), bytes);
      }
    }),

    test('[READ-24] responds 416 with the size to a range after the last byte', async (t) => {
      const stream = await finished(t, '0123456789', 'audio/mpeg');
      for (const range of ['bytes=10-', 'bytes=-0', 'bytes=99999999999999999999-']) {
        const response = await stream.read(UPSTREAM, { Range: range });
        assert.equal(response.header('content-range'), 'bytes */10');
        await expectError(response, 'RANGE_NOT_SATISFIABLE');
      }
    }),

    test('[READ-24] sends the whole body for several ranges, other units and another ETag', async (t) => {
      const stream = await finished(t, '0123456789', 'audio/mpeg');
      const etag = (await stream.read(UPSTREAM)).header('etag') ?? '';
      assert.match(etag, /^"[^"]+"$/);
      const ignored: RequestHeaders[] = [
        { Range: 'bytes=0-1,4-5' },
        { Range: 'items=0-1' },
        { Range: 'bytes=5-2' },
        { Range: 'bytes=0-1', 'If-Range': '"other"' },
        { Range: 'bytes=0-1', 'If-Range': `W/${etag}` },
      ];
      for (const headers of ignored) {
        const response = await stream.read(UPSTREAM, headers);
        await expectStatus(response, 200);
        expectBytes(await response.bytes(), '0123456789');
      }
      const same = await stream.read(UPSTREAM, { Range: 'bytes=0-1', 'If-Range': etag });
      assert.equal(same.status, 206);
      const unchanged = await stream.read(UPSTREAM, { Range: 'bytes=0-1', 'If-None-Match': etag });
      assert.equal(unchanged.status, 304);
    }),

    test('[READ-25] HEAD accepts the signed URL and sends the headers of the whole body', async (t) => {
      const stream = await finished(t, '0123456789', 'audio/mpeg');
      const response = await head(t, stream, { Range: 'bytes=0-1' });
      await expectStatus(response, 200);
      assert.equal(response.header('content-length'), '10');
      assert.equal(response.header('content-type'), 'audio/mpeg');
      assert.equal(response.header('accept-ranges'), 'bytes');
      assert.equal((await response.bytes()).length, 0);
      const unsigned = stream.at(UPSTREAM);
      unsigned.searchParams.set('signature', 'wrong');
      assert.equal((await t.send(unsigned, { method: 'HEAD' })).status, 401);
    }),

    test('[READ-26] sends the bytes so far of an open stream, without ranges', async (t) => {
      const feed = t.feed({ contentType: 'audio/mpeg' });
      const stream = await t.start(feed);
      await feed.send('half');
      await stream.until(4);
      const response = await stream.read(UPSTREAM, { Range: 'bytes=0-1' });
      await expectStatus(response, 200);
      assert.equal(response.header('accept-ranges'), 'none');
      assert.equal(response.header('etag'), undefined);
      assert.match(response.header('cache-control') ?? '', /\bno-store\b/);
      expectBytes(await response.bytes(), 'half');
    }),

    test('[READ-27] rejects other values, and an offset or a mode next to it', async (t) => {
      const stream = await finished(t, 'x', 'audio/mpeg');
      for (const params of [
        { [AS]: 'html' },
        { [AS]: '' },
        { ...UPSTREAM, [OFFSET]: OFFSET_START },
        { ...UPSTREAM, [LIVE]: LIVE_SSE },
      ]) {
        await expectError(await stream.read(params), 'INVALID_REQUEST');
      }
    }),

    test('[READ-20][READ-23] sends an empty stream as an empty 200', async (t) => {
      const stream = await finished(t, '', 'audio/mpeg');
      for (const headers of [{}, { Range: 'bytes=-5' }]) {
        const response = await stream.read(UPSTREAM, headers);
        await expectStatus(response, 200);
        assert.equal(response.header('content-length'), '0');
      }
    }),
  ],
  ['as-upstream'],
);
