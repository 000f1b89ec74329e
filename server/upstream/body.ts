import { Readable, type Duplex } from 'node:stream';
import * as zlib from 'node:zlib';
import { ProxyError } from '../shared/errors.ts';

/** Bytes that a body holds before the upstream is paused, beyond what its reader holds. */
const HIGH_WATER_BYTES = 65_536;

/** Where the bytes of a body come from. */
export interface BodySource {
  /** There is room for more. Called often, also when nothing was paused. */
  resume(): void;
  /** There is no room for more. */
  pause(): void;
  /** Nobody wants the rest. */
  cancel(): void;
}

/**
 * A body that loses nothing that arrived: a failure waits until every byte before it was read, and until
 * somebody reads at all. A plain Readable drops its buffer when it is destroyed with an error.
 */
export class UpstreamBody extends Readable {
  readonly #source: BodySource;
  #reading = false;
  #isComplete = false;
  #failure: Error | undefined;

  constructor(source: BodySource) {
    super({ highWaterMark: HIGH_WATER_BYTES });
    this.#source = source;
    // The network may fail between two listeners; that must not end the process.
    this.on('error', () => undefined);
  }

  receive(chunk: Uint8Array): void {
    if (!this.push(chunk)) this.#source.pause();
  }

  complete(): void {
    this.#isComplete = true;
    this.push(null);
  }

  fail(reason: unknown): void {
    this.#failure ??= reason instanceof Error ? reason : new Error('aborted', { cause: reason });
    if (this.#reading) this.#settle();
  }

  override read(size?: number): unknown {
    const chunk: unknown = super.read(size);
    this.#reading = true;
    this.#settle();
    return chunk;
  }

  override _read(): void {
    this.#source.resume();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    // Of what is complete there is no rest.
    if (!this.#isComplete) this.#source.cancel();
    callback(error);
  }

  #settle(): void {
    if (this.#failure !== undefined && this.readableLength === 0) this.destroy(this.#failure);
  }
}

/**
 * What decodes a body, by its Content-Encoding (RFC 9110, section 8.4): undefined for a body that is not
 * encoded. Nobody asked the upstream to encode, so more than one coding is not worth the code.
 * @throws ProxyError `UPSTREAM_ERROR` for a coding that we cannot undo; readers could not either.
 */
export function decoderOf(contentEncoding: string | undefined): Duplex | undefined {
  const coding = (contentEncoding ?? '').trim().toLowerCase();
  // Flushed at each chunk: a token must not wait for the decoder's block to fill.
  switch (coding) {
    case '':
    case 'identity':
      return undefined;
    case 'gzip':
    case 'x-gzip':
      return zlib.createGunzip({ flush: zlib.constants.Z_SYNC_FLUSH });
    case 'deflate':
      return zlib.createInflate({ flush: zlib.constants.Z_SYNC_FLUSH });
    case 'br':
      return zlib.createBrotliDecompress({ flush: zlib.constants.BROTLI_OPERATION_FLUSH });
    case 'zstd':
      if ('createZstdDecompress' in zlib) return (zlib.createZstdDecompress as () => Duplex)();
  }
  throw new ProxyError(
    'UPSTREAM_ERROR',
    'The upstream used an unsupported content coding. Supported are gzip, deflate and br',
  );
}

/**
 * Puts a decoder behind a body. A body that ends in mid-coding fails, and never looks complete; an empty one
 * (of a 204, say) has nothing to decode.
 */
export function decodeBody(encoded: UpstreamBody, decoder: Duplex): UpstreamBody {
  let empty = true;
  const decoded = new UpstreamBody({
    resume: () => decoder.resume(),
    pause: () => decoder.pause(),
    cancel: () => {
      encoded.destroy();
      decoder.destroy();
    },
  });
  decoder
    .on('data', (chunk: Uint8Array) => decoded.receive(chunk))
    .on('drain', () => encoded.resume())
    .on('end', () => decoded.complete())
    .on('error', (error) => {
      encoded.destroy();
      decoded.fail(error);
    });
  encoded
    .on('data', (chunk: Uint8Array) => {
      empty = false;
      if (!decoder.write(chunk)) encoded.pause();
    })
    .on('end', () => {
      if (!empty) return void decoder.end();
      decoder.destroy();
      decoded.complete();
    })
    .on('error', (error) => {
      // An empty write comes back when all before it is decoded and taken.
      decoder.write('', () => {
        decoder.destroy();
        decoded.fail(error);
      });
    });
  return decoded;
}

/** Why a body failed: the upstream was silent for too long, or was cut, reset or not decodable. */
export function classifyBodyError(error: unknown): 'timeout' | 'upstream-error' {
  return (error as { code?: unknown } | undefined)?.code === 'UND_ERR_BODY_TIMEOUT'
    ? 'timeout'
    : 'upstream-error';
}

/** Lets go of a body that nobody will read, and of its socket. */
export function discardBody(body: Readable): void {
  body.on('error', () => undefined).destroy();
}

/** Milliseconds that the body of an error may take. */
const ERROR_BODY_TIMEOUT_MS = 10_000;

/**
 * Reads the body of an error: what came until its end, the limit, a failure, or ten seconds, whichever is
 * first. Never rejects; the connection is gone or reusable afterwards.
 */
export async function readErrorBody(
  body: Readable,
  limitBytes: number,
  timeoutMs = ERROR_BODY_TIMEOUT_MS,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  const timer = setTimeout(() => discardBody(body), timeoutMs);
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length >= limitBytes) break;
    }
  } catch {
    // What came is more than nothing.
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(chunks).subarray(0, limitBytes);
}
