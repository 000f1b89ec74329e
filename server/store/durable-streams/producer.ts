import type { Fence } from '../types.ts';
import { PRODUCER_EPOCH, PRODUCER_ID, PRODUCER_SEQ } from './wire.ts';

/** Producer of all fenced writes of a stream, whichever process sends them. */
const FENCED_PRODUCER = 'fenced';
/** Number of epochs per fence. The epochs of the next fence are higher. */
const EPOCHS_PER_FENCE = 2 ** 32;

/**
 * A sequence of appends, each carried out exactly once (base protocol, idempotent producers). If it is unknown whether
 * a request was carried out, the epoch is raised, so that the request cannot be carried out late.
 */
export class Producer {
  readonly #id: string;
  readonly #nextEpoch: () => number;
  #epoch: number;
  #seq = 0;

  /** @param nextEpoch returns a number above all numbers that it returned before. */
  constructor(id: string, nextEpoch: () => number) {
    this.#id = id;
    this.#nextEpoch = nextEpoch;
    this.#epoch = nextEpoch();
  }

  get headers(): Record<string, string> {
    return {
      [PRODUCER_ID]: this.#id,
      [PRODUCER_EPOCH]: String(this.#epoch),
      [PRODUCER_SEQ]: String(this.#seq),
    };
  }

  accepted(): void {
    this.#seq += 1;
  }

  restart(): void {
    this.#epoch = this.#nextEpoch();
    this.#seq = 0;
  }
}

/**
 * Creates the producer of a process that holds a fence. All holders use the same producer id, so that the server
 * rejects a former holder as soon as the next one has appended.
 *
 * @param count returns a number above all that it returned before in this process.
 */
export function fencedProducer(fence: Fence, count: () => number): Producer {
  return new Producer(FENCED_PRODUCER, () => fence * EPOCHS_PER_FENCE + count());
}
