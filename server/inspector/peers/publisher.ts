import type { Logger } from '../../shared/logger.ts';
import type { ByteStore } from '../../store/types.ts';
import type { Recorder } from '../record/recorder.ts';
import { Wanted } from './wanted.ts';

/** Milliseconds between two frames. */
const PUBLISH_MS = 1_000;
/** Milliseconds for which a viewer is served after its last message. */
const WATCHED_MS = 12_000;
/** Bytes after which a log is replaced by a new one, which begins with a full frame. */
const MAX_LOG_BYTES = 4_194_304;
/** Seconds after which the log of a process that died expires. */
const TTL_SECONDS = 60;

export interface PublisherOptions {
  readonly processId: string;
  readonly store: ByteStore;
  readonly recorder: Pick<Recorder, 'frameSince' | 'version'>;
  readonly logger: Logger;
  /** Sends the id of the log to a viewer. */
  readonly announce: (viewer: string, log: string) => Promise<unknown>;
}

/** Writes the frames of this process to a log of the store while another process asks for them. */
export class Publisher {
  readonly #options: PublisherOptions;
  /** Viewers, each with the Unix time (ms) until which it is served. */
  readonly #viewers = new Map<string, number>();
  readonly #wanted = new Wanted();
  #log: { readonly id: string; bytes: number } | undefined;
  #count = 0;
  #version: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #publishing: Promise<void> | undefined;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /**
   * Serves a viewer for the next `WATCHED_MS`.
   * @param wanted ids of the answers whose timelines it shows.
   */
  serve(viewer: string, wanted: readonly string[]): void {
    this.#viewers.set(viewer, Date.now() + WATCHED_MS);
    for (const id of wanted) this.#wanted.add(id);
    if (this.#log) this.#announce(viewer, this.#log.id);
    if (this.#timer) return;
    this.#timer = setInterval(() => this.#publish(), PUBLISH_MS).unref();
    this.#publish();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#viewers.clear();
    await this.#publishing;
    await this.#remove();
  }

  #publish(): void {
    // If the store is slow, fewer frames are published.
    this.#publishing ??= this.#publishOnce()
      .catch((err: unknown) => {
        // The next log begins with a full frame.
        this.#log = undefined;
        this.#options.logger.debug({ err }, 'could not publish to an inspector');
      })
      .finally(() => (this.#publishing = undefined));
  }

  async #publishOnce(): Promise<void> {
    const now = Date.now();
    for (const [viewer, until] of this.#viewers) if (until < now) this.#viewers.delete(viewer);
    if (this.#viewers.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return this.#remove();
    }
    const { store, recorder } = this.#options;
    const replaced = this.#log && this.#log.bytes > MAX_LOG_BYTES ? this.#log.id : undefined;
    const isNew = this.#log === undefined || replaced !== undefined;
    const log = isNew ? await this.#create() : this.#log!;
    const frame = recorder.frameSince(isNew ? undefined : this.#version, this.#wanted.current);
    const { version } = recorder;
    const line = Buffer.from(`${JSON.stringify(frame)}\n`);
    await store.append(log.id, line);
    log.bytes += line.length;
    this.#log = log;
    this.#version = version;
    if (!isNew) return;
    for (const viewer of this.#viewers.keys()) this.#announce(viewer, log.id);
    if (replaced !== undefined) await store.delete(replaced);
  }

  async #create(): Promise<{ readonly id: string; bytes: number }> {
    const id = `inspect-${this.#options.processId}-${++this.#count}`;
    const init = { contentType: 'application/x-ndjson', ttlSeconds: TTL_SECONDS, metadata: {} };
    await this.#options.store.create(id, init);
    return { id, bytes: 0 };
  }

  async #remove(): Promise<void> {
    const log = this.#log;
    this.#log = undefined;
    if (log) await this.#options.store.delete(log.id).catch(() => undefined);
  }

  #announce(viewer: string, log: string): void {
    this.#options.announce(viewer, log).catch((err: unknown) => {
      this.#options.logger.debug({ err }, 'could not send a message to an inspector');
    });
  }
}
