import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import {
  STREAM_CLOSED,
  STREAM_NEXT_OFFSET,
  STREAM_UP_TO_DATE,
  UPSTREAM_CONTENT_TYPE,
} from '../../protocol/headers.ts';
import { LIVE, LIVE_LONG_POLL, OFFSET, OFFSET_NOW, OFFSET_START } from '../../protocol/query.ts';
import { section, test } from '../define.ts';
import { expectBytes, expectError, expectStatus } from '../expect.ts';
import { quiet } from '../http-client.ts';
import type { Stream } from '../stream.ts';
import { everyByte } from './bytes.ts';

const OFFSET_TEXT = /^[^,&=?/\s]{1,255}$/;

export const read = section('read', [
  test('[READ-1][READ-2] returns all bytes unchanged without an offset and from -1', async (t) => {
    const bytes = everyByte();
    const stream = await t.start(t.reply(bytes, { contentType: 'text/event-stream' }));
    await stream.closed();
    for (const params of [{}, { [OFFSET]: OFFSET_START }] as const) {
      const response = await stream.read(params);
      await expectStatus(response, 200);
      assert.equal(response.header('content-type'), 'application/octet-stream');
      assert.equal(response.header(UPSTREAM_CONTENT_TYPE), 'text/event-stream');
      expectBytes(await response.bytes(), bytes);
    }
  }),

  test('[READ-3][READ-4] each offset continues exactly where it was returned, and offsets increase', async (t) => {
    const feed = t.feed();
    const stream = await t.start(feed);
    const offsets: string[] = [];
    let whole = '';
    for (const part of ['a', 'bc', 'déf', '\r\n', 'z'.repeat(2_000)]) {
      await feed.send(part);
      whole += part;
      const { offset } = await stream.until(Buffer.byteLength(whole));
      offsets.push(offset);
      assert.match(offset, OFFSET_TEXT);
      assert.ok(offset !== OFFSET_START && offset !== OFFSET_NOW);
    }
    assert.deepEqual(offsets, [...offsets].sort());
    assert.equal(new Set(offsets).size, offsets.length);
    await feed.end('the end');
    await stream.closed();
    const later = ['bc', 'déf', '\r\n', 'z'.repeat(2_000), 'the end'];
    for (const [i, offset] of offsets.entries()) {
      expectBytes((await stream.catchUp(offset)).bytes, later.slice(i).join(''));
    }
  }),

  test('[READ-5][READ-6][READ-7] a read at the tail of an open stream is empty, up to date and not closed', async (t) => {
    const feed = t.feed();
    const stream = await t.start(feed);
    await feed.send('so far');
    const { offset } = await stream.until(6);
    const response = await stream.read({ [OFFSET]: offset });
    await expectStatus(response, 200);
    assert.equal((await response.bytes()).length, 0);
    assert.equal(response.header(STREAM_NEXT_OFFSET), offset);
    assert.equal(response.header(STREAM_UP_TO_DATE), 'true');
    assert.equal(response.header(STREAM_CLOSED), undefined);
  }),

  test('[READ-7] a read at the end of a closed stream is closed', async (t) => {
    const stream = await t.start(t.reply('over'));
    const { offset } = await stream.closed();
    for (const from of [OFFSET_START, offset]) {
      const { last } = await stream.catchUp(from);
      assert.equal(last.header(STREAM_CLOSED), 'true');
      assert.equal(last.header(STREAM_UP_TO_DATE), 'true');
      assert.equal(last.header(STREAM_NEXT_OFFSET), offset);
    }
  }),

  test('[READ-8] rejects invalid offsets', async (t) => {
    const stream = await t.start(t.reply('x'));
    const { offset } = await stream.closed();
    const wrong = ['', '-2', 'later', 'a,b', 'a/b', '..%2f', 'x'.repeat(300), `${offset}&`, 'NaN', '\0'];
    for (const each of wrong) {
      await expectError(await stream.read({ [OFFSET]: each }), 'INVALID_OFFSET');
    }
  }),

  test('[READ-9] now is the tail, with no-store', async (t) => {
    const feed = t.feed();
    const stream = await t.start(feed);
    await feed.send('earlier');
    const { offset } = await stream.until(7);
    const check = async (closed: string | undefined) => {
      const response = await stream.read({ [OFFSET]: OFFSET_NOW });
      await expectStatus(response, 200);
      assert.equal((await response.bytes()).length, 0);
      assert.equal(response.header(STREAM_NEXT_OFFSET), offset);
      assert.equal(response.header(STREAM_UP_TO_DATE), 'true');
      assert.equal(response.header(STREAM_CLOSED), closed);
      assert.match(response.header('cache-control') ?? '', /\bno-store\b/);
      assert.equal(response.header('etag'), undefined);
    };
    await check(undefined);
    await feed.end();
    await stream.closed();
    await check('true');
  }),

  test('[READ-10] responds 304 to an unchanged read, and 200 after the stream is closed', async (t) => {
    const feed = t.feed();
    const stream = await t.start(feed);
    await feed.send('bytes');
    await stream.until(5);
    const open = (await stream.read()).header('etag') ?? '';
    assert.match(open, /^(W\/)?"[^"]+"$/);
    const again = await stream.read({}, { 'If-None-Match': `"other", ${open}` });
    assert.equal(again.status, 304);
    assert.equal((await again.bytes()).length, 0);
    assert.equal(again.header('etag'), open);
    await feed.end();
    await stream.closed();
    const after = await stream.read({}, { 'If-None-Match': open });
    await expectStatus(after, 200);
    assert.notEqual(after.header('etag'), open);
    expectBytes(await after.bytes(), 'bytes');
  }),

  test('[READ-10] reads with different bytes have different ETags', async (t) => {
    const feed = t.feed();
    const stream = await t.start(feed);
    await feed.send('one');
    const { offset } = await stream.until(3);
    await feed.end('two');
    await stream.closed();
    const whole = (await stream.read()).header('etag');
    const rest = await stream.read({ [OFFSET]: offset }, { 'If-None-Match': whole ?? '' });
    await expectStatus(rest, 200);
    assert.notEqual(rest.header('etag'), whole);
  }),

  test(
    '[READ-11][READ-6] only the last read of a long stream is up to date',
    async (t) => {
      const bytes = Buffer.concat(Array.from({ length: 6 }, (_, i) => Buffer.alloc(1_000_000, i)));
      const stream = await t.start(t.reply(bytes));
      await stream.closed();
      let gathered = Buffer.alloc(0);
      let offset: string = OFFSET_START;
      for (;;) {
        const response = await stream.read({ [OFFSET]: offset });
        await expectStatus(response, 200);
        const piece = await response.bytes();
        gathered = Buffer.concat([gathered, piece]);
        const last = gathered.length === bytes.length;
        assert.equal(
          response.header(STREAM_UP_TO_DATE),
          last ? 'true' : undefined,
          `after ${gathered.length} bytes`,
        );
        assert.equal(response.header(STREAM_CLOSED), last ? 'true' : undefined);
        if (last) break;
        assert.ok(piece.length > 0, 'an empty response before the tail');
        offset = response.header(STREAM_NEXT_OFFSET) ?? assert.fail('no offset of the next read');
      }
      expectBytes(gathered, bytes);
    },
    { slow: true },
  ),

  test('[READ-11][READ-6] returns a short stream completely, even while others follow it chunk by chunk', async (t) => {
    const feed = t.feed();
    const stream = await t.start(feed);
    const reader = await stream.live();
    let whole = '';
    const offsets: string[] = [];
    for (let i = 0; i < 20; i += 1) {
      await feed.send(`chunk ${i};`);
      whole += `chunk ${i};`;
      offsets.push((await reader.until(whole.length)).streamNextOffset);
      if (i % 7 > 0) continue;
      for (const params of [{}, { [LIVE]: LIVE_LONG_POLL, [OFFSET]: OFFSET_START }] as const) {
        const response = await stream.read(params);
        expectBytes(await response.bytes(), whole);
        assert.equal(response.header(STREAM_UP_TO_DATE), 'true');
      }
    }
    await feed.end();
    await reader.toEnd();
    const middle = await stream.read({ [OFFSET]: offsets[9] ?? '' });
    expectBytes(await middle.bytes(), whole.slice(whole.indexOf('chunk 10;')));
    assert.equal(middle.header(STREAM_CLOSED), 'true');
  }),

  test('[READ-12] excludes shared caches and content sniffing', async (t) => {
    const stream = await t.start(t.reply('<script>', { contentType: 'text/html' }));
    await stream.closed();
    const response = await stream.read();
    assert.match(response.header('cache-control') ?? '', /\b(private|no-store)\b/);
    assert.equal(response.header('x-content-type-options'), 'nosniff');
    assert.ok(response.header('cross-origin-resource-policy'));
    assert.doesNotMatch(response.header('content-type') ?? '', /html/);
  }),

  test('[READ-13] rejects an unknown mode and ignores unknown parameters', async (t) => {
    const stream = await t.start(t.reply('x'));
    await stream.closed();
    await expectError(await stream.read({ [LIVE]: 'websocket' }), 'INVALID_REQUEST');
    await expectStatus(await stream.read({ utm_source: 'mail' }), 200);
  }),

  test('[READ-14] responds 404 for an unknown stream', async (t) => {
    await expectError(await t.service(randomUUID()), 'STREAM_NOT_FOUND');
  }),

  test('[READ-15] responds 404 to an id that is not a UUID, in any encoding', async (t) => {
    const stream = await t.start(t.reply('x'));
    await stream.closed();
    const wrong = [
      '1',
      `${stream.id}0`,
      `..%2F${stream.id}`,
      `%2e%2e%2f`,
      `${stream.id}%00`,
      `x%2F${stream.id}`,
    ];
    for (const id of wrong) {
      const url = new URL(t.base);
      const raw = await t.raw(
        `GET ${url.pathname}/${id} HTTP/1.1\r\nHost: ${url.host}\r\nAuthorization: Bearer ${t.secret}\r\nConnection: close\r\n\r\n`,
      );
      assert.match(raw, /^HTTP\/1\.1 40[04] /, `${id}: ${raw.slice(0, 40)}`);
      assert.match(raw, /"code":"(STREAM_NOT_FOUND|NOT_FOUND|INVALID_REQUEST)"/, id);
    }
  }),

  test('[READ-16] bytes are readable before the upstream sends the next', async (t) => {
    const feed = t.feed();
    const stream = await t.start(feed);
    await feed.send('first token');
    const { bytes } = await stream.until(11);
    expectBytes(bytes, 'first token');
    await feed.end();
  }),

  test('[READ-17] many readers get the same bytes', async (t) => {
    const feed = t.feed();
    const stream = await t.start(feed);
    const bytes = everyByte();
    const readers = Array.from({ length: 20 }, (_, i) =>
      i % 2 ? stream.closed() : quiet(liveBytes(stream)),
    );
    for (let i = 0; i < bytes.length; i += 50) await feed.send(bytes.subarray(i, i + 50));
    await feed.end();
    for (const result of await Promise.all(readers)) expectBytes(result.bytes, bytes);
  }),
]);

async function liveBytes(stream: Stream): Promise<{ bytes: Buffer }> {
  const reader = await stream.live();
  await reader.toEnd();
  return { bytes: reader.bytes };
}
