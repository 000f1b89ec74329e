import { describe, expect, it } from 'vitest';
import { LiveWindow } from './live-window.ts';

const KIB = 1024;

describe('the window of live frames', () => {
  it('finds the frame that holds a position', () => {
    const window = new LiveWindow();
    for (let start = 100; start < 200; start += 10) window.push(start, Buffer.alloc(10, start), undefined);
    expect(window.at(99)).toBeUndefined();
    for (let position = 100; position < 200; position += 1) {
      const slot = window.at(position);
      expect(slot?.start).toBe(Math.floor(position / 10) * 10);
      expect(slot?.frame.bytes[0]).toBe(slot?.start);
    }
  });

  it('holds a bounded number of bytes and frames, the newest', () => {
    const window = new LiveWindow();
    for (let i = 0; i < 30; i += 1) window.push(i * 60 * KIB, Buffer.alloc(60 * KIB), undefined);
    expect(window.at(29 * 60 * KIB)).toBeDefined();
    expect(window.at(10 * 60 * KIB)).toBeUndefined();
    const small = new LiveWindow();
    for (let i = 0; i < 2000; i += 1) small.push(i, Buffer.alloc(1), undefined);
    expect(small.at(1999)).toBeDefined();
    expect(small.at(1000)).toBeUndefined();
  });

  it('cuts what is too long for a frame; the last piece tells the end', () => {
    const window = new LiveWindow();
    const end = { outcome: 'complete' } as const;
    const last = window.push(0, Buffer.alloc(150 * KIB), end);
    expect(last).toMatchObject({ next: `${150 * KIB}`.padStart(16, '0'), upToDate: true, end });
    expect(window.at(0)?.frame).toMatchObject({ upToDate: false, next: `${64 * KIB}`.padStart(16, '0') });
    expect(window.at(0)?.frame.end).toBeUndefined();
    expect(window.at(130 * KIB)?.frame).toBe(last);
  });

  it('copies what it is given', () => {
    const window = new LiveWindow();
    const bytes = Buffer.from('abc');
    window.push(0, bytes, undefined);
    bytes.fill('x');
    expect(Buffer.from(window.at(0)!.frame.bytes).toString()).toBe('abc');
  });

  it('drops what was there already when it aged before', () => {
    const window = new LiveWindow();
    window.push(0, Buffer.alloc(10), undefined);
    window.age();
    expect(window.at(0)).toBeDefined();
    window.push(10, Buffer.alloc(10), undefined);
    window.age();
    expect(window.at(0)).toBeUndefined();
    expect(window.at(10)).toBeDefined();
    window.age();
    expect(window.at(10)).toBeUndefined();
  });
});
