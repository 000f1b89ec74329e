import type { Logger } from '../../shared/logger.ts';
import { followUntil, LineSplitter } from '../../store/log.ts';
import type { Frame, StreamStore } from '../../store/types.ts';
import { ProcessState } from '../wire/process-state.ts';
import type { Peer, ProcessFrame } from '../wire/types.ts';

/** Milliseconds without a frame after which a process counts as silent. */
const SILENT_MS = 4_000;
/** Milliseconds for which a dead process is shown. */
const EXPIRED_MS = 60_000;

interface View {
  readonly state: ProcessState;
  /** Frames since the last call of `takeFrames`. */
  frames: ProcessFrame[];
  following: { readonly log: string; readonly abort: AbortController } | undefined;
  seenAt: number;
  expiredAt: number | undefined;
}

export interface ViewsOptions {
  readonly store: Pick<StreamStore, 'follow'>;
  readonly logger: Logger;
  /** Called after each frame. */
  readonly onFrame: () => void;
}

/** The state of the other processes, read from their logs. */
export class Views {
  readonly #options: ViewsOptions;
  readonly #views = new Map<string, View>();

  constructor(options: ViewsOptions) {
    this.#options = options;
  }

  /** Records whether a process is alive. */
  noticed(id: string, isAlive: boolean): void {
    const view = this.#view(id);
    if (isAlive) view.expiredAt = undefined;
    else view.expiredAt ??= Date.now();
  }

  /** Follows a new log of a process, and stops following its previous one. */
  announced(id: string, log: string): void {
    const view = this.#view(id);
    if (view.following?.log === log) return;
    view.following?.abort.abort();
    const abort = new AbortController();
    view.following = { log, abort };
    void this.#follow(view, log, abort.signal);
  }

  /** Returns the state of a process. */
  stateOf(id: string): ProcessState | undefined {
    return this.#views.get(id)?.state;
  }

  get states(): ProcessState[] {
    return Array.from(this.#views.values(), ({ state }) => state);
  }

  get peers(): Peer[] {
    const now = Date.now();
    return Array.from(this.#views, ([id, { seenAt, expiredAt }]) => ({
      id,
      state: expiredAt !== undefined ? 'expired' : now - seenAt > SILENT_MS ? 'silent' : 'live',
    }));
  }

  /** Returns the frames that arrived since the last call. */
  takeFrames(): ProcessFrame[] {
    const frames: ProcessFrame[] = [];
    for (const view of this.#views.values()) for (const frame of view.frames.splice(0)) frames.push(frame);
    return frames;
  }

  /** Removes processes that have been dead for `EXPIRED_MS`. */
  prune(): void {
    for (const [id, view] of this.#views) {
      if (view.expiredAt === undefined || Date.now() - view.expiredAt < EXPIRED_MS) continue;
      view.following?.abort.abort();
      this.#views.delete(id);
    }
  }

  /** Stops following all logs, and removes all processes. */
  clear(): void {
    for (const { following } of this.#views.values()) following?.abort.abort();
    this.#views.clear();
  }

  #view(id: string): View {
    let view = this.#views.get(id);
    if (!view) {
      const state = new ProcessState(id);
      view = { state, frames: [], following: undefined, seenAt: -Infinity, expiredAt: undefined };
      this.#views.set(id, view);
    }
    return view;
  }

  async #follow(view: View, log: string, signal: AbortSignal): Promise<void> {
    const lines = new LineSplitter();
    try {
      const onFrame = ({ bytes }: Frame) => {
        for (const line of lines.push(bytes)) this.#received(view, JSON.parse(line) as ProcessFrame);
        return false;
      };
      await followUntil(this.#options.store, log, onFrame, { signal });
    } catch (err) {
      // The log was replaced, or its process has ended. Otherwise, the next announcement starts following again.
      if (!signal.aborted)
        this.#options.logger.debug({ err, log }, 'could not follow the log of an inspector');
    }
    if (view.following?.log === log) view.following = undefined;
  }

  #received(view: View, frame: ProcessFrame): void {
    view.seenAt = Date.now();
    view.state.apply(frame);
    if (frame.isFull) view.frames = [];
    view.frames.push(frame);
    this.#options.onFrame();
  }
}
