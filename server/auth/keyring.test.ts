import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ConfigurationError } from '../shared/errors.ts';
import { createKeyring } from './keyring.ts';

describe('createKeyring', () => {
  it('accepts each of its secrets and nothing similar', () => {
    const keyring = createKeyring(['new secret', 'öld-secret']);
    expect(keyring.isSecret('new secret')).toBe(true);
    expect(keyring.isSecret('öld-secret')).toBe(true);
    for (const wrong of [
      '',
      'new',
      'new secret ',
      'New secret',
      'new secre',
      'new secretöld-secret',
      '\0new secret',
    ]) {
      expect(keyring.isSecret(wrong)).toBe(false);
    }
  });

  it('derives a stable key for URLs from each secret', () => {
    const exported = (secrets: string[]) =>
      createKeyring(secrets).urlKeys.map((key) => key.export().toString('hex'));
    const [first, second] = exported(['a', 'b']);
    expect(exported(['b', 'a'])).toEqual([second, first]);
    expect(first).toHaveLength(64);
    expect(first).not.toBe(Buffer.from('a').toString('hex'));
    // HKDF with SHA-256, no salt and 32 bytes is two HMACs (RFC 5869, section 2): changing it breaks every URL.
    const extracted = createHmac('sha256', Buffer.alloc(32)).update('a').digest();
    const expanded = createHmac('sha256', extracted).update('durable-proxy signed url v1\x01').digest('hex');
    expect(first).toBe(expanded);
  });

  it('signs tokens with the secret itself, so that any JWT library can', () => {
    expect(createKeyring(['é', 'b']).tokenKeys).toEqual([new Uint8Array([0xc3, 0xa9]), new Uint8Array([98])]);
  });

  it('is immutable', () => {
    const secrets = ['a'];
    const keyring = createKeyring(secrets);
    secrets.push('b');
    expect(keyring.isSecret('b')).toBe(false);
    expect(Object.isFrozen(keyring) && Object.isFrozen(keyring.urlKeys)).toBe(true);
  });

  it.each<[unknown]>([
    [undefined],
    [null],
    [''],
    [42],
    [{}],
    [[]],
    [['a', '']],
    [['a', undefined]],
    ['secret\n'],
    [' secret'],
    ['sec\0ret'],
  ])('throws for %j and shows a right form, without the secret', (jwtSecret) => {
    const create = () => createKeyring(jwtSecret as string);
    expect(create).toThrow(ConfigurationError);
    expect(create).toThrow('process.env.JWT_SECRET');
    expect(create).not.toThrow(/sec.?ret\W/);
  });
});
