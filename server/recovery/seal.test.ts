import { expect, it } from 'vitest';
import { createKeyring } from '../auth/keyring.ts';
import { MAX_SEALED_BYTES, Seal } from './seal.ts';

const sealOf = (...secrets: string[]) => new Seal(createKeyring(secrets).sealKeys);

it('opens what it sealed, for the same stream only', () => {
  const seal = sealOf('first secret');
  const sealed = seal.seal('stream-1', 'Bearer sk-ünïcode')!;
  expect(sealed).not.toContain('sk-');
  expect(Buffer.from(sealed.slice(3), 'base64url').includes('Bearer')).toBe(false);
  expect(seal.seal('stream-1', 'Bearer sk-ünïcode')).not.toBe(sealed);
  expect(seal.open('stream-1', sealed)).toBe('Bearer sk-ünïcode');
  expect(seal.open('stream-2', sealed)).toBeUndefined();
});

it('opens with every key of a rotation, and with no other', () => {
  const sealed = sealOf('old secret').seal('s', 'text')!;
  expect(sealOf('new secret', 'old secret').open('s', sealed)).toBe('text');
  expect(sealOf('new secret').open('s', sealed)).toBeUndefined();
});

it('refuses what was changed, cut off, or is of another version', () => {
  const seal = sealOf('secret');
  const sealed = seal.seal('s', 'text')!;
  const bytes = Buffer.from(sealed.slice(3), 'base64url');
  for (let i = 0; i < bytes.length; i += 1) {
    const changed = Buffer.from(bytes);
    changed[i]! ^= 1;
    expect(seal.open('s', `v1.${changed.toString('base64url')}`)).toBeUndefined();
  }
  for (const other of ['', 'v1.', 'v2.' + sealed.slice(3), sealed.slice(0, 30), `${sealed}AAAA`]) {
    expect(seal.open('s', other)).toBeUndefined();
  }
});

it('seals nothing that is too long for metadata', () => {
  expect(sealOf('secret').seal('s', 'x'.repeat(MAX_SEALED_BYTES + 1))).toBeUndefined();
});
