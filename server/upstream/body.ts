import { Readable, type Duplex } from 'node:stream';
import * as zlib from 'node:zlib';
import { ProxyError } from '../shared/errors.ts';

/** Bytes that a body buffers before the upstream is paused, in addition to those that its reader buffers. */
const HIGH_WATER_BYTES = 65_536;

/** Source of the bytes of a body. */
export interface BodySource {
  /** Resumes the source. Called often, even if it was not paused. */
  resume(): void;
  /** Pauses the source. */
  pause(): void;
  /** Cancels the source: the rest of the body is not needed. */
  cancel(): void;
}

/**
 * A readable that delivers every received byte before its error, and emits the error only once it is being read. A
 * plain Readable drops its buffer when it is destroyed with an error.
 */
export class UpstreamBody extends Readable {
  readonly #source: BodySource;
  #reading = false;
  #isComplete = false;
  #failure: Error | undefined;

  constructor(source: BodySource) {
    super({ highWaterMark: HIGH_WATER_BYTES });
    this.#source = source;
    // The network may fail while no listener is attached. That must not end the process.
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
    // A complete body has nothing to cancel.
    if (!this.#isComplete) this.#source.cancel();
    callback(error);
  }

  #settle(): void {
    if (this.#failure !== undefined && this.readableLength === 0) this.destroy(this.#failure);
  }
}

/**
 * Returns the decoder for a Content-Encoding (RFC 9110, section 8.4), or undefined if the body is not encoded. The
 * proxy does not ask upstreams to encode, so it does not support several codings at once.
 * @throws ProxyError `UPSTREAM_ERROR` for an unsupported coding, which readers could not decode either.
 */
export function decoderOf(contentEncoding: string | undefined): Duplex | undefined {
  const coding = (contentEncoding ?? '').trim().toLowerCase();
  // Flushes at each chunk: a token must not wait until a block of the decoder is full.
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
 * Pipes a body through a decoder. A body that ends within its coding fails and never looks complete. An empty body
 * (such as that of a 204) has nothing to decode.
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
      // The callback of an empty write is called when all earlier bytes have been decoded and read.
      decoder.write('', () => {
        decoder.destroy();
        decoded.fail(error);
      });
    });
  return decoded;
}

/** Classifies the failure of a body: a timeout, or any other failure. */
export function classifyBodyError(error: unknown): 'timeout' | 'upstream-error' {
  return (error as { code?: unknown } | undefined)?.code === 'UND_ERR_BODY_TIMEOUT'
    ? 'timeout'
    : 'upstream-error';
}

/** Discards a body that will not be read, and its socket. */
export function discardBody(body: Readable): void {
  body.on('error', () => undefined).destroy();
}

/** Milliseconds within which the body of an error must arrive. */
const ERROR_BODY_TIMEOUT_MS = 10_000;

/**
 * Reads the body of an error until its end, the limit, a failure or ten seconds, whichever is first. Never rejects. The
 * connection is closed or reusable afterwards.
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
    // A truncated body is better than none.
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(chunks).subarray(0, limitBytes);
}
