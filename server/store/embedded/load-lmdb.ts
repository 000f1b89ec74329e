import type * as Lmdb from 'lmdb';

/**
 * Loads LMDB when the first store opens, so that a process on another store does not load its native part.
 * @throws Error that explains how to keep LMDB out of a bundle. LMDB finds its native part relative to its own files,
 *   and the error of a bundled copy does not mention that.
 */
export async function loadLmdb(): Promise<typeof Lmdb> {
  try {
    return await import('lmdb');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(
      `LMDB could not be loaded (${reason}). If this server is bundled, keep "lmdb" out of the bundle: ` +
        `external: ['lmdb'] in esbuild, Rollup and webpack ("externals"), serverExternalPackages: ['durable-proxy'] ` +
        "in Next.js, with outputFileTracingIncludes: { '/*': ['node_modules/@lmdb/**/*'] } for standalone output. " +
        'Otherwise install the dependencies again on the platform that runs the server.',
      { cause },
    );
  }
}
