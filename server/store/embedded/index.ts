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
  /** Directory of the database. Created with mode 0700 if it does not exist. Default `.durable-proxy`. */
  readonly dataDir?: string | undefined;
  /**
   * When an append resolves and becomes readable. `disk` (default): once it is flushed, so that it survives a power
   * failure. `process`: once it survives a crash of this process; it is flushed shortly after.
   */
  readonly durability?: 'disk' | 'process' | undefined;
  /** Milliseconds between two sweeps for expired streams. Default 1,000. */
  readonly sweepIntervalMs?: number | undefined;
}

const OPTIONS = {
  dataDir: { ...text("'/var/lib/streams'"), fallback: '.durable-proxy' },
  durability: { ...oneOf(['disk', 'process']), fallback: 'disk' },
  sweepIntervalMs: milliseconds({ fallback: 1_000 }),
} as const satisfies OptionTable & Record<keyof EmbeddedStoreOptions, unknown>;

/**
 * Creates a store in a directory of this machine, on LMDB. Needs no server. One process at a time can open a
 * directory. `open()` closes streams that a dead process left open, as `interrupted`. Within a process, stores on the
 * same directory share one database, which closes when the last of them is disposed. No file is touched before
 * `open()`.
 * @param options the directory, and when an append counts as stored.
 * @throws ConfigurationError for an invalid option.
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
