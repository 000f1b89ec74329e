import type { Context } from './context.ts';
import type { Observers } from './telemetry/observers.ts';

/**
 * Property of a proxy through which an inspector has access to it. Uses the global symbol registry, because the modules of
 * the proxy and of the inspector may be loaded twice, as ES modules and as CommonJS.
 */
export const INSPECTABLE = Symbol.for('durable-proxy.inspectable.1');

/** The parts of a proxy that its inspector uses. */
export interface Inspectable {
  readonly context: Context;
  readonly observers: Pick<Observers, 'attach'>;
  /** Resolves when the store is open. @throws StoreError `UNAVAILABLE` if that takes too long. */
  opened(): Promise<void>;
  /** URL or path of the proxy's mount; undefined as long as it is unknown. */
  base(): string | undefined;
}
