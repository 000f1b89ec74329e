/** Puts a value, or removes the key if there is none. */
export interface Operation {
  readonly key: Buffer;
  readonly value: Buffer | undefined;
}

/** Collects the operations of a commit. `value` must not change until its commit has settled. */
export interface Writes {
  put(key: Buffer, value: Buffer): void;
  remove(key: Buffer): void;
}

/** Returns the operations that `write` adds, in order. */
export function collect(write: (to: Writes) => void): Operation[] {
  const operations: Operation[] = [];
  write({
    put: (key, value) => operations.push({ key, value }),
    remove: (key) => operations.push({ key, value: undefined }),
  });
  return operations;
}
