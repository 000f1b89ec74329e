import { Tail, type Listener, type TailOptions } from './tail.ts';

/** Milliseconds between two checks of all tails. */
const LOOK_MS = 1_000;

/** A stream and a position in it. */
export type TailPlace = Pick<TailOptions, 'id' | 'init' | 'token' | 'offset'>;
export type TailContext = Pick<TailOptions, 'backend' | 'metadata' | 'registry' | 'silenceMs'>;

/** The live tails of this process, at most one for each stream, and the timer that checks them. */
export class Tails {
  readonly #context: TailContext;
  readonly #tails = new Map<string, Tail>();
  #timer: NodeJS.Timeout | undefined;

  constructor(context: TailContext) {
    this.#context = context;
  }

  get(id: string): Tail | undefined {
    return this.#tails.get(id);
  }

  /** Adds a listener at an offset. Returns undefined if the tail's window begins after it: older bytes must be read first. */
  join(at: TailPlace, listener: Listener): Tail | undefined {
    const tail = this.#tails.get(at.id) ?? this.#begin(at);
    const place = tail.find(at.offset);
    if (!place) return undefined;
    tail.join(listener, place);
    return tail;
  }

  dispose(error: unknown): void {
    for (const tail of [...this.#tails.values()]) tail.fail(error);
  }

  #begin(at: TailPlace): Tail {
    const { id } = at;
    const onOver = (over: Tail): void => {
      if (this.#tails.get(id) === over) this.#tails.delete(id);
      if (this.#tails.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
    const tail = new Tail({ ...this.#context, ...at, onOver });
    this.#tails.set(id, tail);
    this.#timer ??= setInterval(() => {
      const nowMs = performance.now();
      for (const each of this.#tails.values()) each.look(nowMs);
    }, LOOK_MS).unref();
    return tail;
  }
}
