import type { IncomingMessage } from 'node:http';
import { ProxyError } from '../errors.ts';

/** How long an upload that was refused may go on, so that its sender comes to read the answer. */
const LINGER_MS = 2_000;

/**
 * The request's body, whole: its fingerprint has to be known before the upstream is called.
 * Empty bodies give undefined. A body that an earlier middleware parsed is put together again.
 * @throws ProxyError `REQUEST_TOO_LARGE` past the limit, `INVALID_REQUEST` when the sender broke off.
 */
export async function readBody(req: IncomingMessage, limit: number): Promise<Buffer | undefined> {
  const parsed = parsedBody(req);
  const body = parsed ?? (await receive(req, limit));
  if (body.length > limit) throw tooLarge(limit);
  return body.length > 0 ? body : undefined;
}

function receive(req: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (Number(req.headers['content-length']) > limit) {
      discardRest(req);
      reject(tooLarge(limit));
      return;
    }
    const chunks: Buffer[] = [];
    let size = 0;
    const settle = (act: () => void) => {
      req.off('data', onData).off('end', onEnd).off('error', onCut).off('close', onCut);
      act();
    };
    const onData = (chunk: Buffer) => {
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
  const timer = setTimeout(() => req.destroy(), LINGER_MS);
  timer.unref();
  req.once('close', () => clearTimeout(timer)).once('end', () => clearTimeout(timer));
  req.on('error', () => undefined).resume();
}

/** What `express.json()` and its like left in `req.body` when they consumed the stream before us. */
function parsedBody(req: IncomingMessage & { body?: unknown }): Buffer | undefined {
  if (!req.readableEnded) return undefined;
  const { body } = req;
  const sentNothing =
    Number(req.headers['content-length'] ?? 0) === 0 && !('transfer-encoding' in req.headers);
  if (sentNothing) return Buffer.alloc(0);
  if (Buffer.isBuffer(body)) return body;
  if (typeof body === 'string') return Buffer.from(body);
  const type = req.headers['content-type'] ?? '';
  if (/[/+]json\b/i.test(type)) return Buffer.from(JSON.stringify(body));
  if (/^application\/x-www-form-urlencoded\b/i.test(type) && isFlat(body)) {
    return Buffer.from(new URLSearchParams(body).toString());
  }
  throw new ProxyError(
    'INVALID_REQUEST',
    `Another middleware consumed this ${type || 'untyped'} body; mount durableProxy before it`,
  );
}

function isFlat(body: unknown): body is Record<string, string> {
  return (
    typeof body === 'object' &&
    body !== null &&
    Object.values(body).every((value) => typeof value === 'string')
  );
}

function tooLarge(limit: number): ProxyError {
  return new ProxyError('REQUEST_TOO_LARGE', `The request's body is over maxRequestBytes (${limit} bytes)`);
}
