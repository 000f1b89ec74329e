import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { UPSTREAM_METHOD, UPSTREAM_URL } from '../../protocol/headers.ts';

/** Headers whose values contain no space: a space means that `Headers` has joined two fields. */
const WITHOUT_SPACES = new Set([UPSTREAM_URL, UPSTREAM_METHOD].map((name) => name.toLowerCase()));

/** Adapts a `Request` to the parts of `IncomingMessage` that the handlers use. */
export class WebRequest extends Readable {
  /** The request that the framework passed. */
  readonly request: Request;
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: string[];
  readonly httpVersionMajor = 1;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;

  /** @param target path and query below the mount. */
  constructor(request: Request, target: string) {
    super();
    const fields = [...request.headers];
    this.request = request;
    this.method = request.method;
    this.url = target;
    this.headers = Object.fromEntries(fields);
    this.rawHeaders = fields.flatMap(([name, value]) =>
      WITHOUT_SPACES.has(name) ? value.split(', ').flatMap((each) => [name, each]) : [name, value],
    );
  }

  /** This object with the type that the middleware expects. */
  get incoming(): IncomingMessage {
    return this as unknown as IncomingMessage;
  }

  override _read(): void {
    void this.#pull();
  }

  async #pull(): Promise<void> {
    try {
      // The reader is created at the first read, because `authenticate` may clone the request before.
      this.#reader ??= this.request.body?.getReader();
      const { value } = (await this.#reader?.read()) ?? {};
      // Pushing an empty chunk does not complete a read, and Node would not read again.
      if (value?.byteLength === 0) await this.#pull();
      else this.push(value ?? null);
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error('The request body failed', { cause: error }));
    }
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // `cancel` rejects if the body has already failed.
    this.#reader?.cancel().catch(() => undefined);
    done(error);
  }
}
