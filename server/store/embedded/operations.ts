/** A put when there is a value, else a removal. */
export interface Operation {
  readonly key: Buffer;
  readonly value: Buffer | undefined;
}

/** Takes what is to be written. `value` must not change until its commit has settled. */
export interface Writes {
  put(key: Buffer, value: Buffer): void;
  remove(key: Buffer): void;
}

/** What `write` puts and removes, in order. */
export function collect(write: (to: Writes) => void): Operation[] {
  const operations: Operation[] = [];
  write({
    put: (key, value) => operations.push({ key, value }),
    remove: (key) => operations.push({ key, value: undefined }),
  });
  return operations;
}
