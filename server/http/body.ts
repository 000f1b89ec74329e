import type { IncomingMessage } from 'node:http';
import { ProxyError } from '../shared/errors.ts';
import { consumedBody } from './consumed-body.ts';
import { closeRequest } from './response.ts';

/** How long an upload that was refused may go on, so that its sender comes to read the answer. */
export const LINGER_MS = 2_000;

/** The times exist because Node's own `requestTimeout` may be 0, and does not exist under HTTP/2. */
export interface BodyLimits {
  readonly maxBytes: number;
  /** Milliseconds without a byte. */
  readonly silenceMs: number;
  /** Milliseconds in all. */
  readonly totalMs: number;
}

/**
 * The request's body, whole: its fingerprint has to be known before the upstream is called.
 * Returns undefined for an empty body. Of a body that an earlier middleware has consumed it returns the exact bytes.
 * @throws ProxyError `REQUEST_TOO_LARGE` past the limit, `INVALID_REQUEST` if the sender broke off, fell silent or took too
 * long, or a body parser in front has lost the bytes.
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
    // A socket that closed before we listened has no event left for us.
    if (req.destroyed) onCut();
  });
}

/** Closing a socket with unread bytes resets it, and the answer is lost with it: read on for a while. */
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
