import { lazy, Suspense, useEffect, useState, useSyncExternalStore } from 'react';
import { Chat } from './Chat.tsx';
import { conversations, newConversationId } from './conversations.ts';
import { Icon } from './Icon.tsx';
import { Operator, OperatorToggle, useOperator } from './Operator.tsx';
import { Pair } from './Pair.tsx';
import { Sidebar } from './Sidebar.tsx';
import { ThemeToggle } from './ThemeToggle.tsx';

const Compare = lazy(() => import('./Compare.tsx').then(({ Compare: page }) => ({ default: page })));

/** The drawers of a narrow window; a wide one shows both beside the chat. */
type Drawer = 'conversations' | 'connection';

export function App() {
  const id = useSyncExternalStore(subscribeHash, conversationInHash);
  const [drawer, setDrawer] = useState<Drawer>();
  const list = useSyncExternalStore(conversations.subscribe, conversations.get);
  const isCompare = id === 'compare';
  const operator = useOperator();
  const title = isCompare
    ? 'Side by side'
    : (list.find((each) => each.id === id)?.title ?? 'New conversation');

  useEffect(() => {
    document.title = `${title} · durable-proxy`;
  }, [title]);

  useEffect(() => {
    const close = (): void => setDrawer(undefined);
    window.addEventListener('hashchange', close);
    return () => window.removeEventListener('hashchange', close);
  }, []);

  const closeDrawer = (): boolean => {
    setDrawer(undefined);
    return drawer !== undefined;
  };
  const toggle = (name: Drawer) => ({
    'aria-controls': name,
    'aria-expanded': drawer === name,
    onClick: () => setDrawer(drawer === name ? undefined : name),
  });

  const [, code, conversation = '/'] = /^pair\/([\w-]+)(\/.*)?$/.exec(id) ?? [];
  if (code !== undefined) return <Pair code={code} conversation={conversation} />;
  return (
    <div
      className="app"
      data-drawer={drawer}
      data-page={isCompare ? 'compare' : 'chat'}
      data-operator={operator.isOpen}
    >
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
          <Icon name="menu" />
        </button>
        <h1>{title}</h1>
        {operator.hasRoom && <OperatorToggle isOpen={operator.isOpen} />}
        <ThemeToggle />
        {!isCompare && (
          <button
            type="button"
            className="icon narrow-only"
            aria-label="Connection"
            {...toggle('connection')}
          >
            <Icon name="pulse" />
          </button>
        )}
      </header>
      {isCompare ? (
        <Suspense>
          <Compare onEscape={closeDrawer} />
        </Suspense>
      ) : (
        <Chat key={id} id={id} onEscape={closeDrawer} />
      )}
      {operator.isOpen && <Operator />}
      <button
        type="button"
        className="backdrop"
        aria-label="Close"
        hidden={drawer !== 'conversations'}
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
  const inHash = /^#\/([\w-]{1,64}|pair\/[\w/-]{1,128})$/.exec(location.hash)?.[1];
  if (inHash !== undefined) return inHash;
  const id = conversations.get()[0]?.id ?? newConversationId();
  history.replaceState(null, '', `#/${id}`);
  return id;
}

function focusComposer(event: { preventDefault(): void }): void {
  event.preventDefault();
  document.getElementById('composer')?.focus();
}
