import type { Inspectable } from '../inspectable.ts';
import type { ProxyEvent } from '../shared/events.ts';
import type { Observer } from '../telemetry/observers.ts';
import { Publisher } from './peers/publisher.ts';
import { Registry } from './peers/registry.ts';
import { Views } from './peers/views.ts';
import { Wanted } from './peers/wanted.ts';
import { Recorder } from './record/recorder.ts';
import { Viewers, type Viewer } from './viewers.ts';
import type { InspectorMessage, Timeline } from './wire/types.ts';

/** Milliseconds between two messages to pages. */
const TICK_MS = 500;
/** Milliseconds between two messages to other processes. */
const ASK_MS = 5_000;
/** Milliseconds after a request during which other processes are asked even if no page is open. */
const LINGER_MS = 10_000;
/** Milliseconds that a snapshot waits for other processes. */
const SNAPSHOT_MS = 1_500;
/** Milliseconds between two queries of the store's size. */
const DESCRIBE_MS = 10_000;

/*
 * Messages between inspectors: `watch <process> <stream ids>` asks for frames, `log <process> <id>` names the log
 * that contains them, `forget <stream id>` reports a deletion.
 */
const WATCH = 'watch';
const LOG = 'log';
const FORGET = 'forget';

/** Collects what a proxy and its peers do, while a page is open. One for each proxy with an inspector. */
export class Hub implements Observer {
  readonly #inspectable: Inspectable;
  readonly #recorder: Recorder;
  readonly #registry: Registry;
  readonly #publisher: Publisher;
  readonly #views: Views;
  readonly #viewers = new Viewers();
  readonly #wanted = new Wanted();
  /** Called at the next frame of another process. */
  #onFrame: (() => void)[] = [];
  #version: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #watchedUntil = 0;
  #askedAt = -Infinity;
  #describedAt = -Infinity;
  #isClosed = false;

  constructor(inspectable: Inspectable) {
    this.#inspectable = inspectable;
    const { store, processes, peers, running, options } = inspectable.context;
    const { logger } = options;
    this.#recorder = new Recorder({
      processId: processes.id,
      bytesOf: (id) => running.get(id)?.bytes,
      running: () => running.size,
      isDraining: () => running.closing,
    });
    this.#registry = new Registry(store, processes.id);
    this.#publisher = new Publisher({
      processId: processes.id,
      store,
      recorder: this.#recorder,
      logger,
      announce: (viewer, log) => peers.notifyInspector(viewer, `${LOG} ${processes.id} ${log}`),
    });
    this.#views = new Views({
      store,
      logger,
      onFrame: () => {
        for (const wake of this.#onFrame.splice(0)) wake();
      },
    });
    this.#recorder.start();
  }

  onEvent(event: ProxyEvent): void {
    this.#recorder.onEvent(event);
  }

  onAppend(ms: number): void {
    this.#recorder.onAppend(ms);
  }

  onOpen(): void {
    this.#registry.join().catch((err: unknown) => this.#failed(err, 'could not register the inspector'));
  }

  onMessage(message: string): void {
    const [verb, id = '', ...rest] = message.split(' ');
    if (verb === WATCH) this.#publisher.serve(id, rest);
    else if (verb === LOG && rest[0] !== undefined && this.#isWatched) this.#views.announced(id, rest[0]);
    else if (verb === FORGET) this.#recorder.forget(id);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#recorder.stop();
    this.#viewers.close();
    this.#views.clear();
    await this.#publisher.stop();
    await this.#registry.leave().catch((err: unknown) => this.#failed(err, 'could not remove the inspector'));
  }

  /** Sends a full message to a page now, and changes from then on. Returns false if too many pages are open. */
  connect(viewer: Viewer): boolean {
    if (this.#isClosed || !this.#viewers.add(viewer)) return false;
    this.#watch();
    viewer.send(this.#message(true));
    return true;
  }

  disconnect(viewer: Viewer): void {
    this.#viewers.remove(viewer);
  }

  /** Returns the state of all processes. Waits up to `SNAPSHOT_MS` for the processes that are alive. */
  async snapshot(): Promise<InspectorMessage> {
    this.#watch();
    await this.#ask();
    const limit = AbortSignal.timeout(SNAPSHOT_MS);
    while (!limit.aborted && !this.#isClosed && this.#views.peers.some(({ state }) => state === 'silent')) {
      await new Promise<void>((resolve) => {
        this.#onFrame.push(resolve);
        limit.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    return this.#whole;
  }

  /**
   * Returns the timelines of an answer, by process. Other processes send their part later: it may be missing in the
   * first response.
   */
  timelinesOf(streamId: string): Record<string, Timeline> {
    const isNew = this.#wanted.add(streamId);
    this.#watch();
    if (isNew) void this.#ask();
    const own = this.#recorder.timelineOf(streamId);
    const found: Record<string, Timeline> = own ? { [this.#id]: own } : {};
    for (const { id, timelines } of this.#views.states) {
      const timeline = timelines[streamId];
      if (timeline) found[id] = timeline;
    }
    return found;
  }

  /** Removes a deleted answer from the tables of all processes. */
  async forget(streamId: string): Promise<void> {
    this.#recorder.forget(streamId);
    const { peers } = this.#inspectable.context;
    const others = await this.#registry.others();
    await Promise.allSettled(others.map((id) => peers.notifyInspector(id, `${FORGET} ${streamId}`)));
  }

  get #id(): string {
    return this.#inspectable.context.processes.id;
  }

  get #isWatched(): boolean {
    return this.#viewers.size > 0 || Date.now() < this.#watchedUntil;
  }

  #watch(): void {
    this.#watchedUntil = Date.now() + LINGER_MS;
    if (this.#timer || this.#isClosed) return;
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
    this.#tick();
  }

  #tick(): void {
    if (!this.#isWatched) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      this.#askedAt = -Infinity;
      this.#views.clear();
      return;
    }
    const now = performance.now();
    if (now - this.#askedAt >= ASK_MS) void this.#ask();
    if (now - this.#describedAt >= DESCRIBE_MS) void this.#describe();
    this.#views.prune();
    if (this.#viewers.size === 0) return void this.#views.takeFrames();
    this.#viewers.send(this.#message(false), () => this.#message(true));
  }

  async #ask(): Promise<void> {
    this.#askedAt = performance.now();
    const { processes, peers } = this.#inspectable.context;
    const message = [WATCH, this.#id, ...this.#wanted.current].join(' ');
    try {
      const others = await this.#registry.others();
      await Promise.all(
        others.map(async (id) => {
          const isAlive = (await processes.isAlive(id)) && (await peers.notifyInspector(id, message));
          // Ignores a process that ended before this one knew it.
          if (isAlive || this.#views.stateOf(id)) this.#views.noticed(id, isAlive);
          if (!isAlive) await this.#registry.remove(id);
        }),
      );
    } catch (err) {
      this.#failed(err, 'could not ask other inspectors');
    }
  }

  async #describe(): Promise<void> {
    this.#describedAt = performance.now();
    const { store } = this.#inspectable.context;
    try {
      this.#recorder.store = (await store.describe?.()) ?? { kind: 'custom' };
    } catch (err) {
      this.#failed(err, 'could not describe the store');
    }
  }

  /** Returns a message for pages: everything, or the changes since the last call for changes. */
  #message(isWhole: boolean): string {
    if (isWhole) return JSON.stringify(this.#whole);
    const own = this.#recorder.frameSince(this.#version);
    this.#version = this.#recorder.version;
    return JSON.stringify(this.#messageOf([own, ...this.#views.takeFrames()]));
  }

  get #whole(): InspectorMessage {
    const others = this.#views.states.flatMap(({ whole }) => whole ?? []);
    return this.#messageOf([this.#recorder.frameSince(undefined), ...others]);
  }

  #messageOf(frames: InspectorMessage['frames']): InspectorMessage {
    return { at: Date.now(), self: this.#id, peers: this.#views.peers, frames };
  }

  #failed(err: unknown, message: string): void {
    if (!this.#isClosed) this.#inspectable.context.options.logger.warn({ err }, message);
  }
}
