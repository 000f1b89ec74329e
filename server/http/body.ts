import type { IncomingMessage } from 'node:http';
import { ProxyError } from '../shared/errors.ts';
import { consumedBody } from './consumed-body.ts';
import { closeRequest } from './response.ts';

/** Milliseconds for which a rejected upload may continue, so that its sender can read the response. */
export const LINGER_MS = 2_000;

/**
 * Limits on a request body. The proxy has its own timeouts, because Node's `requestTimeout` may be 0 and does not
 * exist for HTTP/2.
 */
export interface BodyLimits {
  readonly maxBytes: number;
  /** Maximum milliseconds without a byte. */
  readonly silenceMs: number;
  /** Maximum milliseconds in total. */
  readonly totalMs: number;
}

/**
 * Reads the whole request body, whose fingerprint must be known before the upstream is called. If an earlier middleware
 * has consumed the body, returns its exact bytes.
 * @returns undefined for an empty body.
 * @throws ProxyError `REQUEST_TOO_LARGE` over the limit; `INVALID_REQUEST` if the body is incomplete or too slow, or if
 * an earlier body parser has lost the bytes.
 */
export async function readBody(req: IncomingMessage, limits: BodyLimits): Promise<Buffer | undefined> {
  const limit = limits.maxBytes;
  const body = consumedBody(req) ?? (await receive(req, limits));
  if (body.length > limit) throw tooLarge(limit);
  if (body.length === 0) return undefined;
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength);
}

function receive(req: IncomingMessage, { maxBytes: limit, silenceMs, totalMs }: BodyLimits): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (Number(req.headers['content-length']) > limit) {
      discardRest(req);
      reject(tooLarge(limit));
      return;
    }
    const chunks: Buffer[] = [];
    let size = 0;
    const refuse = (message: string) => {
      settle(() => reject(new ProxyError('INVALID_REQUEST', message)));
      discardRest(req);
    };
    const silence = setTimeout(() => refuse(`No byte of the body arrived for ${silenceMs} ms`), silenceMs);
    const total = setTimeout(() => refuse(`The body did not arrive within ${totalMs} ms`), totalMs);
    const settle = (act: () => void) => {
      clearTimeout(silence);
      clearTimeout(total);
      req.off('data', onData).off('end', onEnd).off('error', onCut).off('close', onCut);
      act();
    };
    const onData = (chunk: Buffer) => {
      silence.refresh();
      size += chunk.length;
      if (size <= limit) {
        chunks.push(chunk);
        return;
      }
      settle(() => reject(tooLarge(limit)));
      discardRest(req);
    };
    const onEnd = () => settle(() => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size)));
    const onCut = () =>
      settle(() => reject(new ProxyError('INVALID_REQUEST', 'The request ended before its body did')));
    req.on('data', onData).on('end', onEnd).on('error', onCut).on('close', onCut);
    // A socket that has closed already emits no event.
    if (req.destroyed) onCut();
  });
}

/**
 * Reads and discards the rest for at most `LINGER_MS`. Closing a socket with unread bytes resets it, and the client
 * would lose the response.
 */
function discardRest(req: IncomingMessage): void {
  const timer = setTimeout(() => closeRequest(req), LINGER_MS);
  timer.unref();
  req.once('close', () => clearTimeout(timer)).once('end', () => clearTimeout(timer));
  req.on('error', () => undefined).resume();
}

function tooLarge(limit: number): ProxyError {
  return new ProxyError(
    'REQUEST_TOO_LARGE',
    `The request body is larger than maxRequestBytes (${limit} bytes)`,
  );
}
