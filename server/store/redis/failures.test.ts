import { describe, expect, it } from 'vitest';
import { StoreError } from '../types.ts';
import { isPassing, unavailable } from './failures.ts';

describe('a failure of Redis', () => {
  it.each([
    ['READONLY You can’t write against a read only replica.', true],
    ['LOADING Redis is loading the dataset in memory', true],
    ['CLUSTERDOWN The cluster is down', true],
    ['Socket closed unexpectedly', true],
    ['connect ECONNREFUSED 127.0.0.1:1', true],
    ["OOM command not allowed when used memory > 'maxmemory'.", false],
    ['NOAUTH Authentication required.', false],
    ['ERR unknown command', false],
  ])('is temporary for %j: %s', (message, passes) => {
    expect(isPassing(new Error(message))).toBe(passes);
  });

  it('says what to do, and keeps its cause', () => {
    const cause = new Error("OOM command not allowed when used memory > 'maxmemory'.");
    const error = unavailable(cause);
    expect(error).toMatchObject({ code: 'UNAVAILABLE', cause });
    expect(error.message).toContain('give it more');
  });

  it('says which version wrote a record that is too new', () => {
    const error = unavailable(new Error('NEWER 2 script: 5f1c, on @user_script:9.'));
    expect(error.code).toBe('UNAVAILABLE');
    expect(error.message).toMatch(/has version 2.*up to 1.*upgrade this process/);
  });

  it('is returned unchanged if it is a store error already', () => {
    const error = new StoreError('NOT_FOUND', 'gone');
    expect(unavailable(error)).toBe(error);
  });
});
