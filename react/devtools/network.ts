/** Bytes of one piece, and milliseconds between pieces, while the reader is slow: 400 bytes a second. */
const SLOW_BYTES = 100;
const SLOW_MS = 250;

type Chunk = Uint8Array<ArrayBuffer>;

/** Called for what happens to a body. Exactly one of the last three ends it. */
export interface BodyListener {
  onChunk(chunk: Chunk): void;
  onEnd(): void;
  onError(error: unknown): void;
  /** The page closed the body. */
  onCancel(): void;
}

/** The faults that the panel can cause in the requests of the page. */
export class Network {
  #isSlow = false;
  #offlineUntil = 0;
  /** Breaks the bodies that are being read. */
  readonly #open = new Set<(reason: Error) => void>();

  /** Reads 400 bytes a second while `isSlow` is true. */
  slow(isSlow: boolean): void {
    this.#isSlow = isSlow;
  }

  /** Breaks all connections. Returns how many there were. */
  drop(): number {
    const count = this.#open.size;
    for (const fail of [...this.#open]) fail(new TypeError('The devtools dropped the connection'));
    return count;
  }

  /** Breaks all connections and refuses new ones for a time, then dispatches `online` as a browser does. */
  goOffline(ms: number): void {
    this.#offlineUntil = Date.now() + ms;
    this.drop();
    setTimeout(() => {
      if (Date.now() >= this.#offlineUntil) window.dispatchEvent(new Event('online'));
    }, ms);
  }

  /** @throws TypeError while the page is offline, as `fetch` does. */
  check(): void {
    if (Date.now() < this.#offlineUntil) throw new TypeError('The devtools are offline');
  }

  /** Returns a body with the same bytes, which the faults apply to. */
  wrap(body: ReadableStream<Chunk>, listener: BodyListener): ReadableStream<Chunk> {
    const reader = body.getReader();
    let isOver = false;
    let rest: Chunk | undefined;
    let fail!: (error: unknown) => void;
    const end = (report: () => void): void => {
      isOver = true;
      this.#open.delete(fail);
      report();
    };
    return new ReadableStream<Chunk>({
      start: (controller) => {
        fail = (error) => {
          if (isOver) return;
          end(() => listener.onError(error));
          controller.error(error);
          reader.cancel().catch(() => undefined);
        };
        this.#open.add(fail);
      },
      pull: async (controller) => {
        try {
          const chunk = rest ?? (await reader.read()).value;
          if (isOver) return;
          if (!chunk) {
            end(() => listener.onEnd());
            return controller.close();
          }
          const piece = this.#isSlow ? chunk.subarray(0, SLOW_BYTES) : chunk;
          rest = piece.length < chunk.length ? chunk.subarray(piece.length) : undefined;
          if (this.#isSlow) await new Promise((resolve) => setTimeout(resolve, SLOW_MS));
          if (isOver) return;
          listener.onChunk(piece);
          controller.enqueue(piece);
        } catch (error) {
          fail(error);
        }
      },
      cancel: (reason) => {
        end(() => listener.onCancel());
        return reader.cancel(reason);
      },
    });
  }
}
