import { readFileSync } from 'node:fs';
import * as client from 'durable-proxy/client';
import * as react from 'durable-proxy/react';
import * as sessions from 'durable-proxy/sessions';
import * as transports from 'durable-proxy/transports';
import { expect, it } from 'vitest';
import { CLIENT_ERROR_CODES } from '../../core-client/error-codes.ts';
import { ERROR_STATUS } from '../../protocol/errors.ts';
import * as chat from '../../react/chat.ts';
import * as query from '../../react/query.ts';
import * as status from '../../react/status.ts';

const document = readFileSync(new URL('../../docs/client.md', import.meta.url), 'utf8');
const [table = ''] = /\| code \| thrown as \|[^]*?\n\n/.exec(document) ?? [];
const documented = [...table.matchAll(/`([A-Z]+(?:_[A-Z]+)*)`/g)].map(([, code]) => code);

it('docs/client.md lists each code of a DurableError once', () => {
  expect(documented.toSorted()).toEqual([...CLIENT_ERROR_CODES, ...Object.keys(ERROR_STATUS)].toSorted());
});

it.each(Object.entries({ client, transports, sessions, react, status, chat, query }))(
  'the entry point %s exports the same error classes as the client',
  (_, entry) => {
    expect(entry).toMatchObject({
      DurableError: client.DurableError,
      DurableNetworkError: client.DurableNetworkError,
      DurableStreamError: client.DurableStreamError,
      DurableStorageError: client.DurableStorageError,
      isDurableError: client.isDurableError,
    });
  },
);

it('errors of the transports are DurableErrors with a code, a status and a retry time', () => {
  const refused = new transports.AnswerRequestError('Slow down', 429, {
    code: 'rate_limit_error',
    retryAfterMs: 2000,
  });
  expect(refused).toBeInstanceOf(client.DurableError);
  expect(refused).toMatchObject({
    code: 'ANSWER_REQUEST_FAILED',
    providerCode: 'rate_limit_error',
    status: 429,
    retryAfterMs: 2000,
    retryable: true,
  });
  const notAllowed = new transports.AnswerRequestError('No', 403, { code: 'UPSTREAM_NOT_ALLOWED' });
  expect(notAllowed).toMatchObject({ code: 'UPSTREAM_NOT_ALLOWED', retryable: false });
  expect(notAllowed.providerCode).toBeUndefined();
  const cause = new Error('cause');
  const all = [
    new transports.TruncatedAnswerError('x', { cause }),
    new transports.MalformedAnswerError('x', { cause }),
    new transports.ModelError('x', { cause }),
  ];
  expect(all.map(({ code }) => code)).toEqual(['ANSWER_TRUNCATED', 'ANSWER_MALFORMED', 'MODEL_FAILED']);
  for (const error of all) {
    expect(client.isDurableError(error)).toBe(true);
    expect(error.cause).toBe(cause);
  }
});

it('a lost connection is retryable, and a request that is too large is not', () => {
  const lost = new client.DurableNetworkError('NETWORK_ERROR', 'x');
  const tooLarge = new client.DurableNetworkError('INVALID_RESPONSE', 'x', { status: 413 });
  const ended = new client.DurableStreamError('ABORTED', 'x', { outcome: 'aborted' });
  const busy = new client.DurableStreamError('TOO_MANY_READERS', 'x', { status: 429, retryAfterMs: 0 });
  expect([lost, tooLarge, ended, busy].map(({ retryable }) => retryable)).toEqual([true, false, false, true]);
});
