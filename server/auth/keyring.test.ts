import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ConfigurationError } from '../shared/errors.ts';
import { createKeyring, deriveServiceSecret } from './keyring.ts';

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

  it.each<[unknown, string]>([
    [undefined, 'undefined'],
    [null, 'null'],
    ['', 'an empty string'],
  ])('throws for %j, and the message says how to set the secret', (jwtSecret, given) => {
    for (const use of [createKeyring, deriveServiceSecret]) {
      expect(() => use(jwtSecret as string)).toThrow(
        new ConfigurationError(
          `jwtSecret is ${given}. Set the environment variable JWT_SECRET, and pass jwtSecret: process.env.JWT_SECRET. ` +
            'Create a secret with: openssl rand -base64 32',
        ),
      );
    }
  });

  it('names the entry of a list that is not a secret', () => {
    const message = (jwtSecret: unknown) => () => createKeyring(jwtSecret as string[]);
    expect(message(['new', undefined])).toThrow(
      /list of non-empty strings, but entry 1 is undefined\. Example: /,
    );
    expect(message(['', 'old'])).toThrow(/but entry 0 is an empty string/);
    expect(message([['secret']])).toThrow(/but entry 0 is a list/);
    expect(message([1234])).toThrow(/but entry 0 is a number\./);
  });

  it('does not repeat a secret that is a number', () => {
    expect(() => createKeyring(1234 as never)).toThrow(/must be a non-empty string, not this number\./);
  });

  it.each<[unknown]>([
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
