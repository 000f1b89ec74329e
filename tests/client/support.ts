import { afterEach, beforeEach, vi } from 'vitest';
import { createDurableFetch } from '../../core-client/index.ts';
import type { DurableFetch, DurableFetchOptions, Resumption } from '../../core-client/types.ts';
import { StandIn } from './stand-in.ts';

export const UPSTREAM = 'https://api.example.com/v1/chat?key=hidden';

export interface Rig {
  standIn: StandIn;
  /** Every state that any client of the test was in. */
  readonly states: Resumption[];
  readonly warnings: Error[];
  client(options?: Partial<DurableFetchOptions>): DurableFetch;
}

/** A stand-in and clients of it for each test; attempts follow each other without a wait. */
export function useRig(): Rig {
  const rig: Rig = {
    standIn: undefined as unknown as StandIn,
    states: [],
    warnings: [],
    client: (options) =>
      createDurableFetch({
        proxyUrl: rig.standIn.url,
        onResumption: (resumption) => rig.states.push(resumption),
        onWarning: (warning) => rig.warnings.push(warning),
        ...options,
      }),
  };
  beforeEach(async () => {
    rig.standIn = await StandIn.start();
    rig.states.length = 0;
    rig.warnings.length = 0;
    // Full jitter: nothing is a fair draw.
    vi.spyOn(Math, 'random').mockReturnValue(0);
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    vi.unstubAllGlobals();
    await rig.standIn.stop();
  });
  return rig;
}

/** What a body gave before it ended, and how it ended. */
export async function drain(response: Response): Promise<{ text: string; error: unknown }> {
  const reader = response.body!.getReader();
  const decoder = new TextDecoder();
  let text = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return { text, error: undefined };
      text += decoder.decode(value, { stream: true });
    }
  } catch (error) {
    return { text, error };
  }
}
