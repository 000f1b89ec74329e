import assert from 'node:assert/strict';
import { COMPACT_EVENTS, LAST_EVENT_ID, PREFER, RETURN_REPRESENTATION } from '../../protocol/headers.ts';
import { EVENTS, EVENTS_COMPACT, LIVE, LIVE_SSE, OFFSET_NOW, OFFSET_START } from '../../protocol/query.ts';
import { section, test } from '../define.ts';
import { expectBytes } from '../expect.ts';
import { SseReader, type SseEvent } from '../sse-reader.ts';
import { everyByte } from './bytes.ts';

const COMPACT = { [EVENTS]: EVENTS_COMPACT };

/** Returns the events up to the end of the response, without comments. */
async function eventsOf(reader: SseReader): Promise<SseEvent[]> {
  const events: SseEvent[] = [];
  for (let event = await reader.nextReal(); event; event = await reader.nextReal()) events.push(event);
  return events;
}

export const compactEvents = section(
  'compact-events',
  [
    test('[COMPACT-1][COMPACT-3] each chunk is one event with its offset, and no control event', async (t) => {
      const feed = t.feed();
      const stream = await t.start(feed);
      await feed.send('first');
      await stream.until(5);
      const reader = await stream.live(OFFSET_START, COMPACT);
      const parts = ['first', 'data: {"a":1}\n\n', ' \n', '\n\n\n', 'größe \u2028\ufeff\0'];
      for (const [i, part] of parts.entries()) {
        if (i > 0) await feed.send(part);
        const event = await reader.nextReal();
        assert.equal(event?.kind, 'compact');
        expectBytes(event.bytes, part);
        assert.equal((await stream.catchUp(event.id)).bytes.length, 0);
      }
      await feed.end();
      const rest = await eventsOf(reader);
      assert.equal(rest.length, 1);
      assert.ok(rest[0]?.kind === 'control' && rest[0].control.streamClosed);
    }),

    test('[COMPACT-2] bytes that are not text arrive at once, in base64', async (t) => {
      const feed = t.feed();
      const stream = await t.start(feed);
      await feed.send('first');
      await stream.until(5);
      const reader = await stream.live(OFFSET_START, COMPACT);
      await reader.nextReal();
      for (const part of [
        everyByte(),
        [0xf0, 0x9f],
        [0x92, 0xa9],
        Buffer.from('a\r\nb'),
        Buffer.from('\r'),
      ]) {
        await feed.send(Buffer.from(part));
        const event = await reader.nextReal();
        assert.ok(event?.kind === 'compact' && !event.isText, `${JSON.stringify(event)} arrives`);
        expectBytes(event.bytes, Buffer.from(part));
      }
    }),

    test('[COMPACT-2] every byte arrives unchanged', async (t) => {
      const bytes = Buffer.concat(Array.from({ length: 400 }, everyByte));
      const feed = t.feed();
      const stream = await t.start(feed);
      const reader = await stream.live(OFFSET_START, COMPACT);
      for (let at = 0; at < bytes.length; at += 30_001) await feed.send(bytes.subarray(at, at + 30_001));
      await feed.end();
      await eventsOf(reader);
      expectBytes(reader.bytes, bytes);
    }),

    test('[COMPACT-3] sends a control event at the tail, and at the end', async (t) => {
      const feed = t.feed();
      const stream = await t.start(feed);
      await feed.send('earlier');
      const { offset } = await stream.until(7);
      const reader = await stream.live(OFFSET_NOW, COMPACT);
      const first = await reader.nextReal();
      assert.ok(first?.kind === 'control');
      assert.equal(first.control.streamNextOffset, offset);
      assert.equal(first.control.upToDate, true);
      await feed.end('later');
      const last = (await eventsOf(reader)).at(-1);
      expectBytes(reader.bytes, 'later');
      assert.ok(last?.kind === 'control' && last.control.streamClosed);
      assert.equal(last.control.streamNextOffset, (await stream.closed()).offset);
      const again = await eventsOf(await stream.live(last.control.streamNextOffset, COMPACT));
      assert.deepEqual(
        again.map(({ kind }) => kind),
        ['control'],
      );
    }),

    test('[COMPACT-4] a read continues after the id of any event, in every mode', async (t) => {
      const feed = t.feed();
      const stream = await t.start(feed);
      const reader = await stream.live(OFFSET_START, COMPACT);
      const ids: [id: string, position: number][] = [];
      const parts = ['one\n\n', Buffer.from([0xc3]), Buffer.from([0xbc]), 'two\r\n'];
      for (const part of parts) {
        await feed.send(part);
        for (let event = await reader.nextReal(); event; event = await reader.nextReal()) {
          if (event.kind !== 'compact') continue;
          ids.push([event.id, reader.bytes.length]);
          break;
        }
      }
      await feed.end('three');
      await eventsOf(reader);
      assert.equal(ids.length, parts.length);
      for (const [id, position] of ids) {
        const rest = reader.bytes.subarray(position);
        expectBytes((await stream.catchUp(id)).bytes, rest);
        const compact = await stream.live(id, COMPACT);
        await eventsOf(compact);
        expectBytes(compact.bytes, rest);
        const headers = { [LAST_EVENT_ID]: id };
        const again = new SseReader(await stream.read({ [LIVE]: LIVE_SSE, ...COMPACT }, headers), true);
        await eventsOf(again);
        expectBytes(again.bytes, rest);
      }
    }),

    test('[COMPACT-5] another value of events is ignored', async (t) => {
      const stream = await t.start(t.reply('whole'));
      await stream.closed();
      for (const value of ['', 'COMPACT', 'tiny']) {
        const reader = await stream.live(OFFSET_START, { [EVENTS]: value });
        await reader.until(5);
        expectBytes(reader.bytes, 'whole');
      }
      expectBytes(await (await stream.read(COMPACT)).bytes(), 'whole');
    }),

    test(
      '[COMPACT-6] the response to a create has compact events',
      async (t) => {
        const upstream = t.reply('whole');
        for (const preference of [
          `${RETURN_REPRESENTATION}, ${COMPACT_EVENTS}`,
          [COMPACT_EVENTS, RETURN_REPRESENTATION],
        ]) {
          const response = await t.create(upstream, { headers: { [PREFER]: preference } });
          const reader = new SseReader(response, true);
          await eventsOf(reader);
          expectBytes(reader.bytes, 'whole');
        }
        const without = await t.create(upstream, { headers: { [PREFER]: COMPACT_EVENTS } });
        assert.equal((await without.bytes()).length, 0);
      },
      { needs: ['prefer'] },
    ),
  ],
  ['compact-events'],
);
