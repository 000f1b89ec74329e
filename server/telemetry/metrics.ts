import type { OnEvent, ProxyEvent } from '../shared/events.ts';
import { Histogram } from './histogram.ts';

/** Seconds; a first byte of a model with a long prompt or with reasoning takes minutes. */
const FIRST_BYTE_SECONDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];
/** Seconds; an append takes a flush of a disk or a round trip. */
const APPEND_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];

/** Counts events and appends of one proxy, and writes them in the text format of Prometheus (version 0.0.4). */
export class ProxyMetrics {
  readonly #streams = new Set<string>();
  readonly #closed = new Map<string, number>();
  readonly #refused = new Map<string, number>();
  readonly #firstByte = new Histogram(FIRST_BYTE_SECONDS);
  readonly #append = new Histogram(APPEND_SECONDS);
  #readers = 0;
  #recoveries = 0;
  #replayed = 0;

  readonly onEvent: OnEvent = (event: ProxyEvent) => {
    switch (event.type) {
      case 'created':
        this.#streams.add(event.streamId);
        break;
      case 'closed':
        this.#streams.delete(event.streamId);
        increment(this.#closed, event.outcome);
        break;
      case 'released':
        this.#streams.delete(event.streamId);
        break;
      case 'first-byte':
        this.#firstByte.record(event.ms / 1_000);
        break;
      case 'read-begun':
        this.#readers += 1;
        break;
      case 'read-ended':
        this.#readers -= 1;
        break;
      case 'recovered':
        this.#recoveries += 1;
        // The stream may have been created in another process.
        this.#streams.add(event.streamId);
        break;
      case 'replayed':
        this.#replayed += 1;
        break;
      case 'refused':
        increment(this.#refused, event.code);
    }
  };

  readonly onAppend = (ms: number): void => this.#append.record(ms / 1_000);

  render(): string {
    return [
      ...family(
        'durable_proxy_streams_active',
        'gauge',
        'Streams whose upstream is being read.',
        this.#streams.size,
      ),
      ...labeled('durable_proxy_streams_closed_total', 'Streams that ended.', 'outcome', this.#closed),
      ...this.#firstByte.render(
        'durable_proxy_first_byte_duration_seconds',
        "Time from an upstream's headers to the first byte of its body.",
      ),
      ...this.#append.render('durable_proxy_append_duration_seconds', 'Time of an append to the store.'),
      ...family('durable_proxy_readers_active', 'gauge', 'Reads in progress.', this.#readers),
      ...labeled(
        'durable_proxy_refused_total',
        'Requests that were answered with an error.',
        'code',
        this.#refused,
      ),
      ...family(
        'durable_proxy_recoveries_total',
        'counter',
        'Streams that continued after a break.',
        this.#recoveries,
      ),
      ...family(
        'durable_proxy_replayed_total',
        'counter',
        'Creates that found their stream.',
        this.#replayed,
      ),
      '',
    ].join('\n');
  }
}

function increment(counts: Map<string, number>, label: string): void {
  counts.set(label, (counts.get(label) ?? 0) + 1);
}

function family(name: string, type: 'gauge' | 'counter', help: string, value: number): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, `${name} ${value}`];
}

/** The labels are outcomes and codes of the protocol, which need no escapes. */
function labeled(name: string, help: string, label: string, counts: ReadonlyMap<string, number>): string[] {
  const samples = [...counts].map(([value, count]) => `${name}{${label}="${value}"} ${count}`);
  return [`# HELP ${name} ${help}`, `# TYPE ${name} counter`, ...samples];
}
