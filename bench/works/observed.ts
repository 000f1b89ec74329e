import { INSPECTED, TELEMETRY, TELEMETRY_SAMPLED, WITHOUT_TELEMETRY, type Peer } from '../peers/index.ts';
import { BENCH_SECRET, post } from '../read.ts';
import type { Bench, Measured, Target, Work } from '../work.ts';
import { besideEachOther } from './beside.ts';

export interface ObservedOptions {
  readonly name: string;
  readonly streams: number;
  readonly chunks: number;
  readonly gapMs: number;
  readonly targets: readonly Target[];
}

export const [NO_INSPECTOR, PAGE_CLOSED, PAGE_OPEN] = [
  'without an inspector',
  'inspector, no page open',
  'inspector, one page open',
] as const;

/** What the operator's page costs the proxy: two proxies in one process, one of which has an inspector. */
export function inspectorBesideNone(options: ObservedOptions): Work {
  const inspected = ({ secondUrl, durable }: Peer, upstream: string) =>
    post({ url: secondUrl, durable }, upstream);
  return besideEachOther({
    ...options,
    title: 'with and without an inspector',
    answers: '/?format=chat',
    subjects: {
      [NO_INSPECTOR]: { peer: INSPECTED, request: post },
      [PAGE_CLOSED]: { peer: INSPECTED, request: inspected },
      [PAGE_OPEN]: { peer: INSPECTED, request: inspected, meanwhile: openPage },
    },
  });
}

/**
 * What OpenTelemetry costs the proxy. In processes of their own: before Node 24, `AsyncLocalStorage` costs each promise of
 * its process something, whether it belongs to a trace or not.
 */
export function telemetryBesideNone(options: ObservedOptions): Work {
  return besideEachOther({
    ...options,
    title: 'with and without OpenTelemetry',
    answers: '/?format=chat',
    fresh: true,
    subjects: {
      [WITHOUT_TELEMETRY]: { peer: WITHOUT_TELEMETRY, request: post },
      [TELEMETRY_SAMPLED]: { peer: TELEMETRY_SAMPLED, request: post },
      [TELEMETRY]: { peer: TELEMETRY, request: post },
    },
  });
}

/** Follows the events of the operator's page, as the page does. */
async function openPage({ agent }: Bench, { secondUrl }: Peer): Promise<() => Measured['fault']> {
  const { statusCode, body } = await agent.request({
    origin: new URL(secondUrl!).origin,
    path: '/inspector/api/events',
    method: 'GET',
    headers: { authorization: `Bearer ${BENCH_SECRET}` },
  });
  let messages = 0;
  body
    .on('data', (piece: Buffer) => {
      if (piece.includes('data: ')) messages += 1;
    })
    // Closing the page ends its body with an error.
    .on('error', () => undefined);
  return () => {
    body.destroy();
    return statusCode === 200 && messages > 1 ? undefined : `the page received ${messages} messages`;
  };
}
