/** A value in localStorage that components can subscribe to, also from other tabs. */
export interface LocalStore<T> {
  readonly get: () => T;
  /** Returns true if the value changed. */
  readonly set: (value: T) => boolean;
  readonly remove: () => void;
  readonly subscribe: (changed: () => void) => () => void;
}

/** Event for changes in this tab. The browser's `storage` event reports changes in other tabs. */
const CHANGED = 'demo:changed';

/** Without storage (blocked, full) the value lives as long as the page. */
export function createLocalStore<T>(key: string, fallback: T): LocalStore<T> {
  let text: string | null = null;
  let value = fallback;
  const read = (): string | null => {
    try {
      return localStorage.getItem(key);
    } catch {
      return text;
    }
  };
  const announce = (): boolean => window.dispatchEvent(new CustomEvent(CHANGED, { detail: key }));

  return {
    get() {
      const current = read();
      if (current !== text) {
        text = current;
        value = parse(current, fallback);
      }
      return value;
    },
    set(next) {
      const serialised = JSON.stringify(next);
      if (serialised === read()) return false;
      try {
        localStorage.setItem(key, serialised);
      } catch {
        text = serialised;
        value = next;
      }
      announce();
      return true;
    },
    remove() {
      try {
        localStorage.removeItem(key);
      } catch {
        text = null;
        value = fallback;
      }
      announce();
    },
    subscribe(changed) {
      const here = (event: Event): void => {
        if ((event as CustomEvent<string>).detail === key) changed();
      };
      const elsewhere = (event: StorageEvent): void => {
        if (event.key === key || event.key === null) changed();
      };
      window.addEventListener(CHANGED, here);
      window.addEventListener('storage', elsewhere);
      return () => {
        window.removeEventListener(CHANGED, here);
        window.removeEventListener('storage', elsewhere);
      };
    },
  };
}

function parse<T>(text: string | null, fallback: T): T {
  if (text === null) return fallback;
  try {
    return JSON.parse(text) as T;
  } catch {
    return fallback;
  }
}
