import { expect, it } from 'vitest';
import { safeType } from './media-type.ts';

it.each([
  'audio/mpeg',
  'audio/wav',
  'audio/ogg; codecs=opus',
  'audio/L16;rate=24000;channels=1',
  'video/mp4',
  'video/webm',
  'image/png',
  'image/jpeg',
  'image/webp',
  'application/json; charset=utf-8',
  'text/plain;charset=utf-8',
  'text/event-stream',
])('sends %s as it is', (stored) => {
  const { contentType, disposition } = safeType(stored);
  expect(contentType.toLowerCase()).toBe(stored.toLowerCase());
  expect(disposition).toBe('inline');
});

it.each([
  '',
  'text/html',
  'TEXT/HTML; charset=utf-8',
  'application/xhtml+xml',
  'image/svg+xml',
  'application/xml',
  'text/xml',
  'audio/x+xml',
  'video/mp4+xml',
  'application/json+xml',
  'text/javascript',
  'application/javascript',
  'text/css',
  'application/pdf',
  'application/wasm',
  'application/vnd.apple.mpegurl',
  'audio/mpegurl',
  'multipart/x-mixed-replace; boundary=x',
  'application/octet-stream',
  // Of several types, browsers take the last one.
  'audio/mpeg, text/html',
  'audio/mpeg; a="b", text/html',
  'audio/mpeg;a=",text/html',
  'text/html\u000caudio/mpeg',
  ' text/plain',
  'text/plain; charset',
  'text',
])('sends %j as a download without a type', (stored) => {
  expect(safeType(stored)).toEqual({ contentType: 'application/octet-stream', disposition: 'attachment' });
});
