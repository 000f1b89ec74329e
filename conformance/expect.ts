import assert from 'node:assert/strict';
import { ERROR_STATUS, type ErrorCode } from '../protocol/errors.ts';
import type { TestResponse } from './http-client.ts';

/** Asserts that the response is this error, in the common format. Returns its message. */
export async function expectError(response: TestResponse, code: ErrorCode): Promise<string> {
  const text = await response.text();
  assert.equal(
    response.status,
    ERROR_STATUS[code],
    `wanted ${ERROR_STATUS[code]} ${code}, got ${shown(response, text)}`,
  );
  const { error } = parse(text) as { error?: { code?: unknown; message?: unknown } };
  assert.equal(error?.code, code, `wanted ${code}, got ${shown(response, text)}`);
  assert.equal(typeof error.message, 'string', 'the error has no message');
  assert.match(response.header('content-type') ?? '', /^application\/json\b/);
  return error.message as string;
}

/** Asserts the status. A failure shows the body. */
export async function expectStatus(response: TestResponse, status: number): Promise<void> {
  if (response.status === status) return;
  assert.fail(`wanted ${status}, got ${shown(response, await response.text())}`);
}

/** Asserts that a find by name found no stream (FIND-2). */
export async function expectNotFound(response: TestResponse): Promise<void> {
  await expectStatus(response, 204);
  assert.match(response.header('cache-control') ?? '', /\bno-store\b/);
  assert.equal(response.header('location'), undefined);
}

function shown(response: TestResponse, text: string): string {
  return `${response.status} ${text.slice(0, 300)}`;
}

function parse(text: string): object {
  try {
    return (JSON.parse(text) as object | null) ?? {};
  } catch {
    return {};
  }
}

/** Asserts equal bytes. A failure shows the first difference instead of two dumps. */
export function expectBytes(actual: Uint8Array, expected: Uint8Array | string): void {
  const wanted = Buffer.from(expected as Uint8Array);
  if (Buffer.compare(actual, wanted) === 0) return;
  let at = 0;
  while (at < actual.length && actual[at] === wanted[at]) at += 1;
  const context = (bytes: Uint8Array) =>
    JSON.stringify(Buffer.from(bytes.subarray(at, at + 32)).toString('latin1'));
  assert.fail(
    `${actual.length} bytes instead of ${wanted.length}, different from byte ${at} on: got ${context(actual)}, wanted ${context(wanted)}`,
  );
}
