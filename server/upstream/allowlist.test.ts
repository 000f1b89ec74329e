import { describe, expect, it } from 'vitest';
import { compileAllowlist } from './allowlist.ts';

/** Each pattern with URLs that it allows and URLs that it rejects. */
const TABLE: readonly (readonly [pattern: string, passes: readonly string[], refused: readonly string[]])[] =
  [
    // Paths
    [
      'https://api.openai.com/**',
      [
        'https://api.openai.com',
        'https://api.openai.com/',
        'https://api.openai.com/v1',
        'https://api.openai.com/v1/chat/completions',
        'https://api.openai.com/v1/chat/',
        'https://api.openai.com/v1/chat/completions?stream=true&x=/../..',
        'https://api.openai.com/v1#/../fragment',
        'https://api.openai.com//v1//chat',
        'https://api.openai.com/.well-known/x',
        'https://api.openai.com/v1/.env/..hidden/...',
        'https://api.openai.com/v1/models/model:generate@1;v=2,x=(y)',
        'https://api.openai.com/v1/a%2Fb',
        'https://api.openai.com/v1/100%25',
        'https://api.openai.com/v1/%E4%BD%A0?q=%zz',
        'https://api.openai.com/v1/*',
      ],
      [
        'https://api.openai.com.evil.com/v1',
        'https://evil.com/api.openai.com/v1',
        'https://evil.com/https://api.openai.com/v1',
        'https://xapi.openai.com/v1',
        'https://openai.com/v1',
        'http://api.openai.com/v1',
        'ftp://api.openai.com/v1',
        'file:///api.openai.com/v1',
        'javascript://api.openai.com/v1',
        'wss://api.openai.com/v1',
        'data:text/plain,x',
        '//api.openai.com/v1',
        'api.openai.com/v1',
        '/v1',
        '',
        'https:',
        'https://',
        'https:///v1',
        'https:/api.openai.com/v1',
        'https:api.openai.com/v1',
        'https:\\\\api.openai.com\\v1',
        'https://?api.openai.com',
      ],
    ],
    [
      'https://h.example/v1/*',
      [
        'https://h.example/v1/chat',
        'https://h.example/v1/.hidden',
        'https://h.example/v1/...',
        'https://h.example/v1/a%20b',
        'https://h.example/v1/x/../chat',
      ],
      [
        'https://h.example/v1',
        'https://h.example/v1/',
        'https://h.example/v1/chat/',
        'https://h.example/v1/chat/completions',
        'https://h.example/v1//chat',
        'https://h.example/V1/chat',
        'https://h.example/v2/chat',
        'https://h.example/v1/../chat',
        'https://h.example/v1/chat/../../admin',
        'https://h.example/v1/%2e%2e/admin',
        'https://h.example/v1/.%2E/admin',
      ],
    ],
    [
      'https://h.example/v1/*/x',
      ['https://h.example/v1/a/x', 'https://h.example/v1/a.b-c/x', 'https://h.example/v1/%C3%BC/x'],
      [
        'https://h.example/v1/x',
        'https://h.example/v1/a/b/x',
        'https://h.example/v1/a/x/y',
        'https://h.example/v1//x',
      ],
    ],
    [
      'https://h.example/v1/chat-*',
      ['https://h.example/v1/chat-4', 'https://h.example/v1/chat-', 'https://h.example/v1/chat-a.b'],
      ['https://h.example/v1/chat', 'https://h.example/v1/chat-4/x', 'https://h.example/v1/achat-4'],
    ],
    [
      'https://h.example/*-4*.json',
      ['https://h.example/gpt-4o.json'],
      ['https://h.example/gpt-4oxjson', 'https://h.example/a/gpt-4.json'],
    ],
    [
      'https://h.example/v1/**',
      [
        'https://h.example/v1',
        'https://h.example/v1/',
        'https://h.example/v1/a',
        'https://h.example/v1/a/b/c/',
      ],
      ['https://h.example/v1x', 'https://h.example/', 'https://h.example/v2/v1/a'],
    ],
    [
      'https://h.example/v1/**/x',
      ['https://h.example/v1/x', 'https://h.example/v1/a/x', 'https://h.example/v1/a/b/x'],
      ['https://h.example/v1/ax', 'https://h.example/x', 'https://h.example/v1/a/x/'],
    ],
    [
      'https://h.example/**/x',
      ['https://h.example/x', 'https://h.example/a/b/x'],
      ['https://h.example/ax', 'https://h.example/x/a'],
    ],
    [
      'https://h.example/*/**',
      ['https://h.example/a', 'https://h.example/a/', 'https://h.example/a/b'],
      ['https://h.example/', 'https://h.example'],
    ],
    [
      'https://h.example/**/*',
      ['https://h.example/a', 'https://h.example/a/b'],
      ['https://h.example/', 'https://h.example/a/'],
    ],
    [
      'https://h.example/a/**/b/**/c',
      ['https://h.example/a/b/c', 'https://h.example/a/x/y/b/z/c'],
      ['https://h.example/a/c', 'https://h.example/a/b'],
    ],
    [
      'https://h.example',
      ['https://h.example/any/path', 'https://h.example?q'],
      ['https://h.example:8443/any/path'],
    ],
    ['https://h.example/', ['https://h.example', 'https://h.example/?q'], ['https://h.example/any']],
    [
      'https://h.example/a.b/(c)+[d]{e,f}!$',
      ['https://h.example/a.b/(c)+[d]{e,f}!$'],
      [
        'https://h.example/axb/(c)+[d]{e,f}!$',
        'https://h.example/a.b/cc',
        'https://h.example/a.b/(c)+[d]e!$',
      ],
    ],
    ['https://h.example/!(admin)', ['https://h.example/!(admin)'], ['https://h.example/user']],
    [
      'https://h.example/{a,b}',
      ['https://h.example/{a,b}', 'https://h.example/%7Ba,b%7D'],
      ['https://h.example/a'],
    ],
    ['https://h.example/@2024', ['https://h.example/@2024'], ['https://h.example/2024']],
    ['https://h.example/%2A', ['https://h.example/%2A'], ['https://h.example/a', 'https://h.example/*']],
    ['https://h.example/ü', ['https://h.example/%C3%BC', 'https://h.example/ü'], ['https://h.example/u']],

    // Encodings that an upstream could decode
    [
      'https://h.example/open/**',
      ['https://h.example/open/a%2Fb', 'https://h.example/open/a%252Fb', 'https://h.example/open/a;b=c/d'],
      [
        'https://h.example/open/..%2Fadmin',
        'https://h.example/open/%2e%2e%2fadmin',
        'https://h.example/open/%2E%2E%5Cadmin',
        'https://h.example/open/..%5cadmin',
        'https://h.example/open/..\\admin',
        'https://h.example/open\\a',
        'https://h.example\\open/a',
        'https://h.example/open\\..\\admin',
        'https://h.example/open/%252e%252e/admin',
        'https://h.example/open/%252e%252e%252fadmin',
        'https://h.example/open/%25252e%25252e/admin',
        'https://h.example/open/..;/admin',
        'https://h.example/open/..;a=b/admin',
        'https://h.example/open/%2e%2e;/admin',
        'https://h.example/open/.;/admin',
        'https://h.example/open/;x/admin',
        'https://h.example/open/%c0%ae%c0%ae/admin',
        'https://h.example/open/%c0%af',
        'https://h.example/open/%00',
        'https://h.example/open/a%0d%0aX:y',
        'https://h.example/open/%7f',
        'https://h.example/open/%',
        'https://h.example/open/%u002e%u002e/admin',
        'https://h.example/open/%2',
        'https://h.example/ope%6e/a',
        'https://h.example/open%2Fa',
      ],
    ],
    [
      'https://h.example/model/*/invoke',
      ['https://h.example/model/a%3Ab/invoke', 'https://h.example/model/a%20b/invoke'],
      [
        'https://h.example/model/a%2Fb/invoke',
        'https://h.example/model/a%252Fb/invoke',
        'https://h.example/model/a%5Cb/invoke',
        'https://h.example/model/admin%3F/invoke',
        'https://h.example/model/admin%23/invoke',
        'https://h.example/model/admin%253F/invoke',
        'https://h.example/model/%2F/invoke',
      ],
    ],
    [
      'https://h.example/a%2Fb/*',
      ['https://h.example/a%2Fb/x'],
      ['https://h.example/a/b/x', 'https://h.example/a%2Fb/x%2Fy'],
    ],

    // Ports
    [
      'https://h.example/v1/**',
      ['https://h.example:443/v1/x', 'HTTPS://h.example:0443/v1/x'],
      [
        'https://h.example:80/v1/x',
        'https://h.example:8443/v1/x',
        'https://h.example:1/v1/x',
        'https://h.example:65536/v1/x',
        'https://h.example:x/v1/x',
      ],
    ],
    [
      'https://h.example:443/**',
      ['https://h.example/x', 'https://h.example:443/x'],
      ['https://h.example:444/x', 'http://h.example:443/x'],
    ],
    [
      'http://h.example:80',
      ['http://h.example/x', 'http://h.example:80/x'],
      ['http://h.example:8080/x', 'https://h.example:80/x'],
    ],
    [
      'https://h.example:8443/**',
      ['https://h.example:8443/x'],
      ['https://h.example/x', 'https://h.example:443/x', 'https://h.example:84430/x'],
    ],
    [
      'http://localhost:*/**',
      [
        'http://localhost/x',
        'http://localhost:80/x',
        'http://localhost:3000/x',
        'http://localhost:65535/x',
        'http://LOCALHOST:1/x',
      ],
      [
        'https://localhost:3000/x',
        'http://localhost.evil.com:3000/x',
        'http://127.0.0.1:3000/x',
        'http://[::1]:3000/x',
        'http://localhost@evil.com:3000/x',
        'http://evil.com:3000/localhost',
      ],
    ],
    ['https://h.example:*', ['https://h.example:1/x/y', 'https://h.example/'], ['http://h.example:1/x/y']],

    // Schemes
    ['h.example/v1/**', ['https://h.example/v1/x'], ['http://h.example/v1/x', 'https://h.example:8443/v1/x']],
    ['h.example:8080', ['https://h.example:8080/x'], ['http://h.example:8080/x', 'https://h.example/x']],
    [
      'localhost:3000',
      ['http://localhost:3000/x', 'https://localhost:3000/x'],
      ['http://localhost:3001/x', 'http://localhost/x'],
    ],
    [
      'localhost',
      ['http://localhost/x', 'https://localhost/x'],
      ['http://localhost:3000/x', 'https://localhost:80/x'],
    ],
    ['127.0.0.1:*', ['http://127.0.0.1:5/x', 'https://127.0.0.1/x'], ['http://127.0.0.2:5/x']],
    [
      '[::1]:8080/v1/*',
      ['http://[::1]:8080/v1/x', 'https://[0:0:0:0:0:0:0:1]:8080/v1/x'],
      ['http://[::2]:8080/v1/x', 'http://[::1]/v1/x'],
    ],
    ['10.0.0.1', ['https://10.0.0.1/x'], ['http://10.0.0.1/x']],
    ['HTTPS://H.Example/v1', ['https://h.example/v1', 'hTTps://H.EXAMPLE/v1'], ['https://h.example/V1']],

    // Hosts
    [
      'https://*.example.com/api/**',
      [
        'https://a.example.com/api/x',
        'https://a.b.c.example.com/api/x',
        'https://xn--bcher-kva.example.com/api/x',
        'https://A.EXAMPLE.COM./api/x',
      ],
      [
        'https://example.com/api/x',
        'https://.example.com/api/x',
        'https://a..example.com/api/x',
        'https://aexample.com/api/x',
        'https://a.example.com.evil.com/api/x',
        'https://a.example.com../api/x',
        'https://evil.com/.example.com/api/x',
        'https://evil.com#.example.com/api/x',
        'https://evil.com?.example.com/api/x',
        'https://evil.com\\.example.com/api/x',
        'https://a.example.community/api/x',
        `https://${'a.'.repeat(130)}example.com/api/x`,
      ],
    ],
    [
      'https://*-aiplatform.googleapis.com',
      ['https://europe-west1-aiplatform.googleapis.com/v1'],
      ['https://a.b-aiplatform.googleapis.com/v1', 'https://aiplatform.googleapis.com/v1'],
    ],
    [
      'https://bedrock.*.amazonaws.com',
      ['https://bedrock.eu-west-1.amazonaws.com/x'],
      ['https://bedrock.amazonaws.com/x', 'https://bedrock.a.b.amazonaws.com/x'],
    ],
    [
      'https://*.*.example.com',
      ['https://a.b.example.com/', 'https://a.b.c.example.com/'],
      ['https://a.example.com/'],
    ],
    [
      'http://*:8000',
      ['http://model:8000/x', 'http://localhost:8000/x'],
      ['http://a.b:8000/x', 'http://127.0.0.1:8000/x', 'http://[::1]:8000/x', 'http://2130706433:8000/x'],
    ],
    [
      'https://*.*.*.*',
      ['https://a.b.c.d/'],
      ['https://169.254.169.254/latest', 'https://0xa9.0xfe.0xa9.0xfe/', 'https://0251.0376.0251.0376/'],
    ],
    [
      'https://api.openai.com',
      [
        'https://api.openai.com./v1',
        'https://API.OpenAI.com/v1',
        'https://ａpi.openai.com/v1',
        'https://api。openai.com/v1',
        'https://api%2Eopenai.com/v1',
      ],
      [
        'https://api.openai.com../v1',
        'https://api.openai.com%00.evil.com/v1',
        'https://api.openai.com%2F.evil.com/v1',
        'https://api.openai.com%40evil.com/v1',
        'https://аpi.openai.com/v1', // the first letter is Cyrillic
        'https://api.openai.com:443@evil.com/v1',
        'https://api.openai.com@evil.com/v1',
        'https://evil.com@api.openai.com/v1',
        'https://user:pass@api.openai.com/v1',
        'https://:@api.openai.com/v1',
        'https://@api.openai.com/v1',
        'https://api.openai.com /v1',
        'https://api.openai.com\t.evil.com/v1',
        'https://api.openai.com\n/v1',
        ' https://api.openai.com/v1',
        'https://api.openai.com\\@evil.com/v1',
        'https://api-openai.com/v1',
        'https://apixopenai.com/v1',
      ],
    ],
    [
      'https://bücher.example/**',
      ['https://xn--bcher-kva.example/x', 'https://BÜCHER.example/x'],
      ['https://bucher.example/x'],
    ],
    ['https://xn--bcher-kva.example', ['https://bücher.example/x'], ['https://xn--bcher.example/x']],
    ['https://h.example./v1', ['https://h.example/v1', 'https://h.example./v1'], ['https://h.example../v1']],

    // Addresses
    [
      'http://127.0.0.1:*/**',
      [
        'http://127.0.0.1:1/',
        'http://127.1:1/',
        'http://0177.0.0.1:1/',
        'http://0x7f.0.0.1:1/',
        'http://2130706433:1/',
        'http://0x7f000001:1/',
        'http://127.0.0.1.:1/',
        'http://①②⑦.0.0.1:1/',
      ],
      [
        'http://127.0.0.2:1/',
        'http://[::ffff:127.0.0.1]:1/',
        'http://[::1]:1/',
        'http://localhost:1/',
        'http://127.0.0.1.evil.com:1/',
        'http://0.0.0.0:1/',
        'http://127.0.0.256:1/',
      ],
    ],
    ['http://0x7f.1', ['http://127.0.0.1/'], ['http://0.0.0.1/']],
    [
      'http://[::ffff:10.0.0.1]',
      ['http://[::ffff:10.0.0.1]/', 'http://[::ffff:a00:1]/', 'http://[0:0:0:0:0:FFFF:0A00:0001]/'],
      ['http://10.0.0.1/', 'http://[::10.0.0.1]/', 'http://[::ffff:10.0.0.2]/'],
    ],
    [
      'https://[2001:db8::1]',
      ['https://[2001:0db8:0::0001]/x'],
      ['https://[2001:db8::2]/x', 'https://[2001:db8::1%25eth0]/x', 'https://2001:db8::1/x'],
    ],
  ];

describe('[URL-6][URL-7][URL-8][URL-9] compileAllowlist', () => {
  it('has a table of at least 150 pairs', () => {
    const pairs = TABLE.reduce((sum, [, passes, refused]) => sum + passes.length + refused.length, 0);
    expect(pairs).toBeGreaterThanOrEqual(150);
  });

  describe.each(TABLE)('%s', (pattern, passes, refused) => {
    const allowlist = compileAllowlist([pattern]);

    it.each(passes)('allows %j', (url) => {
      expect(allowlist.check(url)).toBeDefined();
    });

    it.each(refused)('refuses %j', (url) => {
      expect(allowlist.check(url)).toBeUndefined();
    });
  });

  it('rejects everything if it is empty', () => {
    expect(compileAllowlist([]).check('https://api.openai.com/v1')).toBeUndefined();
    expect(compileAllowlist([]).check('http://localhost/')).toBeUndefined();
  });

  it('returns the normalized URL: dot segments resolved, no fragment, no final dot, with its query', () => {
    const allowlist = compileAllowlist(['https://h.example/v1/**']);
    expect(allowlist.check('HTTPS://H.example.:443/v1/x/../y?a=%2F..#z')?.url.href).toBe(
      'https://h.example/v1/y?a=%2F..',
    );
  });

  it('reports whether a matching pattern names the host literally', () => {
    const allowlist = compileAllowlist([
      'https://*.corp.example/**',
      'https://ai.corp.example/v1/**',
      'http://*:1',
    ]);
    expect(allowlist.check('https://ai.corp.example/v1/x')?.literalHost).toBe(true);
    expect(allowlist.check('https://ai.corp.example/v2/x')?.literalHost).toBe(false);
    expect(allowlist.check('https://db.corp.example/v1/x')?.literalHost).toBe(false);
    expect(allowlist.check('http://localhost:1/')?.literalHost).toBe(false);
  });

  it('rejects paths over the maximum length', () => {
    const allowlist = compileAllowlist(['https://h.example/**']);
    expect(allowlist.check(`https://h.example/${'a'.repeat(2_047)}`)).toBeDefined();
    expect(allowlist.check(`https://h.example/${'a'.repeat(2_048)}`)).toBeUndefined();
  });
});
