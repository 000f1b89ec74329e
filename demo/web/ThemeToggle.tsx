import { useEffect, useState } from 'react';
import { createLocalStore } from './local-store.ts';

const THEMES = ['auto', 'light', 'dark'] as const;
type Theme = (typeof THEMES)[number];

const store = createLocalStore<Theme>('demo:theme', 'auto');

export function ThemeToggle() {
  const [theme, setTheme] = useState(() => store.get());
  useEffect(() => {
    document.documentElement.dataset['theme'] = theme;
    store.set(theme);
  }, [theme]);
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? 'auto';
  return (
    <button
      type="button"
      className="icon"
      aria-label={`Theme: ${theme}. Change to ${next}`}
      title={`Theme: ${theme}`}
      onClick={() => setTheme(next)}
    >
      {{ auto: '◐', light: '☀', dark: '☾' }[theme]}
    </button>
  );
}
