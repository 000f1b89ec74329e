import { useEffect, useEffectEvent } from 'react';

/** Calls `onEscape` when the user presses Escape anywhere in the page, outside of dialogs. */
export function useEscape(onEscape: () => void): void {
  const listener = useEffectEvent((event: KeyboardEvent) => {
    if (event.key === 'Escape' && !event.isComposing && document.querySelector('dialog[open]') === null)
      onEscape();
  });
  useEffect(() => {
    window.addEventListener('keydown', listener);
    return () => window.removeEventListener('keydown', listener);
  }, []);
}
