import { resolve } from 'node:path';
import { checkOptions, type OptionTable } from '../../shared/check-options.ts';
import { milliseconds, oneOf, text } from '../../shared/option-spec.ts';
import type { StreamStore } from '../types.ts';
import { SharedStore } from './shared-store.ts';

export type * from '../types.ts';
export type * from '../../coordination/types.ts';
export type { Logger } from '../../shared/logger.ts';
export { OUTCOMES, type Outcome, type OutcomeError } from '../../../protocol/outcomes.ts';
export type { FormatName, Usage } from '../../../protocol/usage.ts';

/** Options of `embeddedStore`. */
export interface EmbeddedStoreOptions {
  /** Where the bytes lie. Made with mode 0700 when it is not there. Default `.durable-proxy`. */
  readonly dataDir?: string | undefined;
  /**
   * When an append counts, for its writer and for its readers. `disk` (default): when it is flushed, so that
   * a power cut cannot take it back. `process`: when the death of this process cannot; a flush follows.
   */
  readonly durability?: 'disk' | 'process' | undefined;
  /** Milliseconds between two looks for what has expired. Default 1,000. */
  readonly sweepIntervalMs?: number | undefined;
}

const OPTIONS = {
  dataDir: { ...text("'/var/lib/streams'"), fallback: '.durable-proxy' },
  durability: { ...oneOf(['disk', 'process']), fallback: 'disk' },
  sweepIntervalMs: milliseconds({ fallback: 1_000 }),
} as const satisfies OptionTable & Record<keyof EmbeddedStoreOptions, unknown>;

/**
 * A store in a directory of this machine, on LMDB: nothing to install, nothing to start. One process at a
 * time can hold a directory; streams that a dead one left open are closed as `interrupted` by `open()`. Stores on one
 * directory share one database within a process, which closes when the last of them is disposed of.
 * Nothing is touched before `open()`.
 * @param options the directory, and when an append counts as stored.
 * @throws ConfigurationError for an option that cannot work.
 */
export function embeddedStore(options: EmbeddedStoreOptions = {}): StreamStore {
  const checked = checkOptions(
    'embeddedStore',
    OPTIONS,
    options,
    "embeddedStore({ dataDir: '/var/lib/streams' })",
  );
  return new SharedStore({ ...checked, dataDir: resolve(checked.dataDir) });
}
