import { useEffect, useState, useSyncExternalStore } from 'react';
import { Chat } from './Chat.tsx';
import { conversations, newConversationId } from './conversations.ts';
import { Sidebar } from './Sidebar.tsx';
import { ThemeToggle } from './ThemeToggle.tsx';

/** The drawers of a narrow window; a wide one shows both beside the chat. */
type Drawer = 'conversations' | 'connection';

export function App() {
  const id = useSyncExternalStore(subscribeHash, conversationInHash);
  const [drawer, setDrawer] = useState<Drawer>();
  const list = useSyncExternalStore(conversations.subscribe, conversations.get);
  const title = list.find((each) => each.id === id)?.title ?? 'New conversation';

  useEffect(() => {
    document.title = `${title} · durable-proxy`;
  }, [title]);

  useEffect(() => {
    const close = (event: KeyboardEvent): void => {
      if (event.key === 'Escape') setDrawer(undefined);
    };
    const closeAll = (): void => setDrawer(undefined);
    window.addEventListener('keydown', close);
    window.addEventListener('hashchange', closeAll);
    return () => {
      window.removeEventListener('keydown', close);
      window.removeEventListener('hashchange', closeAll);
    };
  }, []);

  const toggle = (name: Drawer) => ({
    'aria-controls': name,
    'aria-expanded': drawer === name,
    onClick: () => setDrawer(drawer === name ? undefined : name),
  });

  return (
    <div className="app" data-drawer={drawer}>
      <a className="skip" href="#composer" onClick={focusComposer}>
        Skip to the message field
      </a>
      <Sidebar current={id} list={list} />
      <header className="topbar">
        <button
          type="button"
          className="icon narrow-only"
          aria-label="Conversations"
          {...toggle('conversations')}
        >
          ☰
        </button>
        <h1>{title}</h1>
        <ThemeToggle />
        <button type="button" className="quiet narrow-only" {...toggle('connection')}>
          Connection
        </button>
      </header>
      <Chat key={id} id={id} />
      <button
        type="button"
        className="backdrop"
        aria-label="Close"
        hidden={drawer === undefined}
        onClick={() => setDrawer(undefined)}
      />
    </div>
  );
}

function subscribeHash(changed: () => void): () => void {
  window.addEventListener('hashchange', changed);
  return () => window.removeEventListener('hashchange', changed);
}

/** The conversation of the address, so that a reload, a bookmark and a second tab show the same one. */
function conversationInHash(): string {
  const inHash = /^#\/([\w-]{1,64})$/.exec(location.hash)?.[1];
  if (inHash !== undefined) return inHash;
  const id = conversations.get()[0]?.id ?? newConversationId();
  history.replaceState(null, '', `#/${id}`);
  return id;
}

function focusComposer(event: { preventDefault(): void }): void {
  event.preventDefault();
  document.getElementById('composer')?.focus();
}
