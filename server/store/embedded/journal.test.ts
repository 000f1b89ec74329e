import fc from 'fast-check';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Journal, type JournalEntry } from './journal.ts';

const entry = (number: number, value = `value ${number}`): JournalEntry => ({
  number,
  operations: [
    { key: Buffer.from(`put ${number}`), value: Buffer.from(value) },
    { key: Buffer.from(`removed ${number}`), value: undefined },
  ],
});

describe('the journal', () => {
  let directory: string;
  let journal: Journal;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'durable-proxy-journal-'));
    journal = new Journal(directory);
    journal.begin();
  });

  afterEach(() => {
    journal.close(true);
    rmSync(directory, { recursive: true });
  });

  const numbers = (after: number): number[] => {
    const reader = new Journal(directory);
    const found = reader.entries(after).map((one) => one.number);
    reader.close(false);
    return found;
  };
  const files = () => ['a', 'b'].map((name) => join(directory, `journal-${name}.log`)) as [string, string];

  it('returns what was appended', () => {
    journal.append(entry(1));
    journal.append({ number: 2, operations: [{ key: Buffer.from('k'), value: Buffer.alloc(0) }] });
    journal.append(entry(3, 'x'.repeat(20_000)));
    expect(journal.entries(0)).toEqual([
      entry(1),
      { number: 2, operations: [{ key: Buffer.from('k'), value: Buffer.alloc(0) }] },
      entry(3, 'x'.repeat(20_000)),
    ]);
    expect(journal.entries(2)).toEqual([entry(3, 'x'.repeat(20_000))]);
  });

  it('stores any operations', () => {
    const bytes = fc.uint8Array({ maxLength: 300 }).map((value) => Buffer.from(value));
    const operation = fc.record({
      key: fc.uint8Array({ minLength: 1, maxLength: 300 }).map((value) => Buffer.from(value)),
      value: fc.option(bytes, { nil: undefined }),
    });
    let number = 0;
    fc.assert(
      fc.property(fc.array(operation, { minLength: 1, maxLength: 10 }), (operations) => {
        number += 1;
        journal.append({ number, operations });
        expect(journal.entries(number - 1)).toEqual([{ number, operations }]);
      }),
      { numRuns: 50 },
    );
  });

  it('ends before an incomplete last entry, whatever byte it was cut at', () => {
    journal.append(entry(1));
    const [file] = files();
    const whole = readFileSync(file);
    const first = whole.indexOf(Buffer.alloc(64));
    journal.append(entry(2));
    const both = readFileSync(file);
    const end = both.indexOf(Buffer.alloc(64));
    for (let cut = first; cut < end; cut += 1) {
      const torn = Buffer.alloc(both.length);
      both.copy(torn, 0, 0, cut);
      writeFileSync(file, torn);
      expect(numbers(0)).toEqual([1]);
    }
    writeFileSync(file, both);
    expect(numbers(0)).toEqual([1, 2]);
  });

  it('ends before a corrupt entry', () => {
    for (let number = 1; number <= 3; number += 1) journal.append(entry(number));
    const [file] = files();
    const whole = readFileSync(file);
    const at = whole.indexOf('put 2');
    whole[at] = (whole[at] ?? 0) ^ 1;
    writeFileSync(file, whole);
    expect(numbers(0)).toEqual([1]);
  });

  it('alternates between the files: one may be discarded while the other is in use', () => {
    journal.append(entry(1));
    journal.append(entry(2));
    journal.turn();
    journal.append(entry(3));
    expect(numbers(0)).toEqual([1, 2, 3]);
    journal.retire();
    journal.append(entry(4));
    expect(numbers(2)).toEqual([3, 4]);
    journal.turn();
    journal.append(entry(5));
    expect(numbers(2)).toEqual([3, 4, 5]);
    journal.retire();
    expect(numbers(4)).toEqual([5]);
  });

  it('keeps using its file while the other one is not free', () => {
    journal.append(entry(1));
    journal.turn();
    journal.append(entry(2));
    journal.turn();
    journal.append(entry(3));
    expect(numbers(0)).toEqual([1, 2, 3]);
    journal.retire();
    expect(numbers(1)).toEqual([2, 3]);
  });

  it('recognizes entries of earlier turns by their numbers', () => {
    for (let number = 1; number <= 20; number += 1) journal.append(entry(number));
    journal.turn();
    journal.retire();
    journal.turn();
    journal.append(entry(21));
    // Entry 1 was overwritten; entries 2 to 20 are still in the file.
    expect(readFileSync(files()[0]).includes('put 20')).toBe(true);
    expect(numbers(20)).toEqual([21]);
  });

  it('returns no entries after a gap: a power failure may have kept only the later of two files', () => {
    journal.append(entry(1));
    journal.append(entry(2));
    journal.turn();
    journal.append(entry(3));
    writeFileSync(files()[0], Buffer.alloc(1000));
    expect(numbers(0)).toEqual([]);
    expect(numbers(2)).toEqual([3]);
  });

  it('releases the disk space of a burst', () => {
    for (let number = 1; number <= 20; number += 1) journal.append(entry(number, 'x'.repeat(1_000_000)));
    journal.turn();
    journal.retire();
    expect(statSync(files()[0]).size).toBeLessThan(4_000_000);
    journal.append(entry(21));
    expect(numbers(20)).toEqual([21]);
  });

  it('leaves no files after disposal', () => {
    expect(files().map(existsSync)).toEqual([true, true]);
    journal.close(true);
    expect(files().map(existsSync)).toEqual([false, false]);
    journal = new Journal(directory);
  });
});
