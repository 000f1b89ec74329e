import { readFileSync, renameSync, writeFileSync } from 'node:fs';

/** Keeps what the client has to remember in a file, so that the next process finds the answer. */
export function fileStorage(file) {
  const read = () => {
    try {
      return JSON.parse(readFileSync(file, 'utf8'));
    } catch {
      return {};
    }
  };
  const write = (entries) => {
    // A process that is killed while it writes leaves the old file as it was.
    writeFileSync(`${file}.new`, JSON.stringify(entries), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  };
  return {
    getItem: (key) => read()[key] ?? null,
    setItem: (key, value) => write({ ...read(), [key]: value }),
    removeItem: (key) => {
      const { [key]: _, ...others } = read();
      write(others);
    },
    keys: () => Object.keys(read()),
  };
}
