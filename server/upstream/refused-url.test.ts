import { describe, expect, it } from 'vitest';
import { closePatterns, loggableUrl } from './refused-url.ts';

describe('loggableUrl', () => {
  it.each([
    ['https://api.example.com/v1/chat?key=sk-1#part', 'https://api.example.com/v1/chat'],
    ['https://user:pass@api.example.com/v1', 'https://api.example.com/v1'],
    ['https:\\\\user:pass@api.example.com', 'https:\\\\api.example.com'],
    ['user:pass@host/x', 'host/x'],
    ['https:user:pass@host/x', 'host/x'],
    ['ftp://user:pass@host/x@y', 'ftp://host/x@y'],
    ['https://a/\u001b[31mred\n', 'https://a/\ufffd[31mred\ufffd'],
  ])('writes %j as %j', (url, expected) => {
    expect(loggableUrl(url)).toBe(expected);
  });

  it('shortens a long URL', () => {
    expect(loggableUrl(`https://a/${'x'.repeat(10_000)}`).length).toBeLessThanOrEqual(201);
  });
});

describe('closePatterns', () => {
  const patterns = [
    'https://api.openai.com/v1/**',
    'https://api.anthropic.com/v1/messages',
    'http://localhost:3000/api/chat',
  ];

  it.each([
    ['https://api.openai.com/v2/chat', [patterns[0]]],
    ['http://api.openai.com/v1/chat', [patterns[0]]],
    ['https://api.open-ai.com/v1/chat', [patterns[0]]],
    ['http://localhost:5173/api/chat', [patterns[2]]],
    ['https://elsewhere.test/', []],
    ['not a URL', []],
    ['', []],
  ])('of %s are %j', (url, expected) => {
    expect(closePatterns(url, patterns)).toEqual(expected);
  });
});
