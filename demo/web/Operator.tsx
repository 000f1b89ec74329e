import { useSyncExternalStore } from 'react';
import { createLocalStore } from './local-store.ts';

/** Windows that have room for the operator's page beside the chat. */
const wide = matchMedia('(min-width: 1400px)');
const openStore = createLocalStore('demo:operator', false);

/** Returns whether the operator's page has room, and whether it is open. A reload keeps it open. */
export function useOperator(): { hasRoom: boolean; isOpen: boolean } {
  const hasRoom = useSyncExternalStore(subscribeWide, () => wide.matches);
  const isWanted = useSyncExternalStore(openStore.subscribe, openStore.get);
  return { hasRoom, isOpen: hasRoom && isWanted };
}

export function OperatorToggle({ isOpen }: { isOpen: boolean }) {
  return (
    <button
      type="button"
      aria-controls="operator"
      aria-expanded={isOpen}
      onClick={() => openStore.set(!isOpen)}
    >
      Operator’s page
    </button>
  );
}

/** The page that `durableInspector` serves: the same answers as the operator of the proxy sees them. */
export function Operator() {
  return (
    <aside id="operator" className="operator" aria-label="Operator’s page">
      <iframe src="/ops/streams/" title="Operator’s page" />
    </aside>
  );
}

function subscribeWide(changed: () => void): () => void {
  wide.addEventListener('change', changed);
  return () => wide.removeEventListener('change', changed);
}
