import type { Meter } from '@opentelemetry/api';
import type { Telemetry } from './types.ts';

/** Counts events and appends with a meter of OpenTelemetry. */
export function meterOf(meter: Meter): Pick<Telemetry, 'onEvent' | 'onAppend'> {
  const name = (own: string) => `durable_proxy.${own}`;
  const active = meter.createUpDownCounter(name('streams.active'), {
    unit: '{stream}',
    description: 'Streams whose upstream is being read.',
  });
  const closed = meter.createCounter(name('streams.closed'), {
    unit: '{stream}',
    description: 'Streams that ended, by outcome.',
  });
  const firstByte = meter.createHistogram(name('first_byte.duration'), {
    unit: 's',
    description: "Time from an upstream's headers to the first byte of its body.",
  });
  const append = meter.createHistogram(name('append.duration'), {
    unit: 's',
    description: 'Time of an append to the store.',
  });
  const readers = meter.createUpDownCounter(name('readers.active'), {
    unit: '{reader}',
    description: 'Reads in progress.',
  });
  const refused = meter.createCounter(name('refused'), {
    unit: '{request}',
    description: 'Requests that were answered with an error, by code.',
  });
  const recoveries = meter.createCounter(name('recoveries'), {
    unit: '{recovery}',
    description: 'Streams that continued after a break.',
  });
  const streams = new Set<string>();
  const begun = (streamId: string): void => {
    if (!streams.has(streamId)) active.add(1);
    streams.add(streamId);
  };
  const ended = (streamId: string): void => {
    if (streams.delete(streamId)) active.add(-1);
  };
  return {
    onAppend: (ms) => append.record(ms / 1_000),
    onEvent(event) {
      switch (event.type) {
        case 'created':
          return begun(event.streamId);
        case 'released':
          return ended(event.streamId);
        case 'closed':
          ended(event.streamId);
          return closed.add(1, { outcome: event.outcome });
        case 'first-byte':
          return firstByte.record(event.ms / 1_000);
        case 'read-begun':
          return readers.add(1);
        case 'read-ended':
          return readers.add(-1);
        case 'recovered':
          // The stream may have been created in another process.
          begun(event.streamId);
          return recoveries.add(1);
        case 'refused':
          return refused.add(1, { code: event.code });
      }
    },
  };
}
