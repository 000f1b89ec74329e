import { afterEach, beforeEach, vi } from 'vitest';
import { createDurableFetch } from '../../core-client/index.ts';
import type { DurableFetch, DurableFetchOptions, Resumption } from '../../core-client/types.ts';
import { StandIn } from './stand-in.ts';

export const UPSTREAM = 'https://api.example.com/v1/chat?key=hidden';

export interface Rig {
  standIn: StandIn;
  /** All states of all clients of the test, in order. */
  readonly states: Resumption[];
  readonly warnings: Error[];
  client(options?: Partial<DurableFetchOptions>): DurableFetch;
}

/** Starts a stand-in for each test, and creates clients of it that retry without a delay. */
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
    // With full jitter, a delay of zero is possible.
    vi.spyOn(Math, 'random').mockReturnValue(0);
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    vi.unstubAllGlobals();
    await rig.standIn.stop();
  });
  return rig;
}

/** Reads a body to its end. Returns its text and the error it ended with, if any. */
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
