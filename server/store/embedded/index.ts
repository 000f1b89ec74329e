import { resolve } from 'node:path';
import { ConfigurationError } from '../../errors.ts';
import type { StreamStore } from '../types.ts';
import { EmbeddedStore } from './store.ts';

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

/**
 * A store in a directory of this machine, on LMDB: nothing to install, nothing to start. One process at a
 * time can hold a directory; streams that a dead one left open are closed as `interrupted` by `open()`.
 * Nothing is touched before `open()`.
 * @throws ConfigurationError for an option that cannot work.
 */
export function embeddedStore(options: EmbeddedStoreOptions = {}): StreamStore {
  const { dataDir = '.durable-proxy', durability = 'disk', sweepIntervalMs = 1000 } = options;
  if (durability !== 'disk' && durability !== 'process') {
    throw new ConfigurationError(
      "embeddedStore: `durability` is 'disk' or 'process', such as { durability: 'disk' }",
    );
  }
  if (!(sweepIntervalMs >= 1 && sweepIntervalMs < 2 ** 31)) {
    throw new ConfigurationError(
      'embeddedStore: `sweepIntervalMs` is in milliseconds, such as { sweepIntervalMs: 1000 }',
    );
  }
  return new EmbeddedStore({ dataDir: resolve(dataDir), durability, sweepIntervalMs });
}
