import { ProcessState } from '../server/inspector/wire/process-state.ts';
import type { InspectorMessage, Peer } from '../server/inspector/wire/types.ts';

/** Milliseconds until the page connects again, after the server refused it. */
const RETRY_MS = 3_000;

export type FeedState = 'connecting' | 'live' | 'lost';

/** The state of all processes as the server reports it, kept up to date. */
export class Feed {
  readonly states = new Map<string, ProcessState>();
  peers: readonly Peer[] = [];
  self = '';
  state: FeedState = 'connecting';
  /** Difference between the clock of the server and that of the page, in milliseconds. */
  #skewMs = 0;
  readonly #onChange: () => void;
  /** Called after a message, with the bytes per second of all processes. */
  readonly #onMessage: () => void;

  constructor(onChange: () => void, onMessage: () => void) {
    this.#onChange = onChange;
    this.#onMessage = onMessage;
    this.#connect();
  }

  /** Unix time in milliseconds on the server. */
  get now(): number {
    return Date.now() + this.#skewMs;
  }

  #connect(): void {
    const source = new EventSource('api/events');
    source.onmessage = ({ data }: MessageEvent<string>) => {
      this.#received(JSON.parse(data) as InspectorMessage);
    };
    source.onerror = () => {
      this.state = source.readyState === EventSource.CLOSED ? 'lost' : 'connecting';
      this.#onChange();
      if (this.state === 'lost') setTimeout(() => this.#connect(), RETRY_MS);
    };
  }

  #received({ at, self, peers, frames }: InspectorMessage): void {
    this.#skewMs = at - Date.now();
    this.self = self;
    this.peers = peers;
    this.state = 'live';
    const known = new Set([self, ...peers.map(({ id }) => id)]);
    for (const id of this.states.keys()) if (!known.has(id)) this.states.delete(id);
    for (const frame of frames) {
      let state = this.states.get(frame.process);
      if (!state) this.states.set(frame.process, (state = new ProcessState(frame.process)));
      state.apply(frame);
    }
    this.#onMessage();
    this.#onChange();
  }
}
