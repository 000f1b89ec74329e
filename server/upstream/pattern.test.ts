import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigurationError } from '../shared/errors.ts';
import { compileAllowlist } from './allowlist.ts';

describe('invalid patterns', () => {
  it.each<[unknown, RegExp]>([
    ['*', /has no host/],
    ['**', /has no host/],
    ['', /has no host/],
    ['https://', /has no host/],
    ['/v1/**', /has no host/],
    ['https:///v1', /has no host/],
    ['ftp://h.example', /scheme/],
    ['*://h.example', /no URL|host is not valid|port/],
    ['https://h.example:80*', /port/],
    ['https://h.example:0', /port/],
    ['https://h.example:65536', /port/],
    ['https://h.example:/x', /port/],
    ['https://**.example.com', /subdomain/],
    ['https://user@h.example', /"@"/],
    ['https://a..b', /empty label/],
    ['https://*.0.0.1', /host is not valid/],
    ['https://h example', /white space/],
    ['https://h.example/a b', /white space/],
    ['https://h.example/a?b=*', /query/],
    ['https://h.example/a#b', /query/],
    ['https://h.example\\a', /\\/],
    ['https://h.example/a**', /stand alone/],
    ['https://h.example/***', /stand alone/],
    ['https://h.example/a*b*c*', /over 2/],
    ['https://a*b*c*.example', /over 2/],
    ['https://h.example/**/a/**/b/**/c', /over 2/],
    ['https://h.example//a', /empty segment/],
    ['https://h.example/a/../b', /dot segments/],
    ['https://h.example/a/%2e%2e/b', /dot segments/],
    ['https://h.example/a/..%2Fb', /dot segments/],
    ['https://h.example/100%', /"%25"/],
    ['https://h.example/%ff', /UTF-8/],
    ['https://bü*.example', /ASCII/],
    [`https://h.example/${'a'.repeat(2_048)}`, /over 2048/],
    [42, /not a string/],
    [undefined, /not a string/],
  ])('throws for the pattern %j and shows one that works', (pattern, why) => {
    const compile = () => compileAllowlist([pattern as string]);
    expect(compile).toThrow(ConfigurationError);
    expect(compile).toThrow(why);
    expect(compile).toThrow('"https://api.openai.com/v1/**"');
  });

  it('throws if the value is not a list', () => {
    expect(() => compileAllowlist('https://h.example' as never)).toThrow(ConfigurationError);
  });
});

describe('valid patterns', () => {
  it('treats all characters except stars literally', () => {
    const text = fc
      .stringMatching(/^[\w!"$&'()+,\-.:;<=>@[\]^`{|}~]{1,12}$/)
      .filter((s) => !/^\.{0,2}($|;)/.test(s));
    fc.assert(
      fc.property(text, text, (a, b) => {
        const allowlist = compileAllowlist([`https://h.example/${a}/x`]);
        expect(allowlist.check(`https://h.example/${a}/x`)).toBeDefined();
        if (a !== b) expect(allowlist.check(`https://h.example/${b}/x`)).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  it('does not allow an encoding of dots and slashes to leave a prefix', () => {
    const dot = fc.constantFrom('.', '%2e', '%2E', '%252e', '%25252e');
    const slash = fc.constantFrom('/', '\\', '%2f', '%5C', '%252F', '//', ';/', ';a/');
    const walk = fc.array(fc.oneof(dot, slash, fc.constantFrom('a', 'open')), { maxLength: 10 });
    const allowlist = compileAllowlist(['https://h.example/open/**']);
    fc.assert(
      fc.property(walk, (steps) => {
        const allowed = allowlist.check(`https://h.example/open/${steps.join('')}/secret`);
        if (allowed === undefined) return;
        // The most lenient upstream: decodes until nothing changes, removes parameters, resolves dot segments again.
        let path = allowed.url.pathname;
        for (let i = 0; i < 5; i++)
          path = decodeURIComponent(path)
            .replaceAll('\\', '/')
            .replace(/;[^/]*/g, '');
        expect(new URL(path.replace(/\/+/g, '/'), 'https://h.example').pathname).toMatch(/^\/open(\/|$)/);
      }),
      { numRuns: 2_000 },
    );
  });
});
