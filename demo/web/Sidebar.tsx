import { deleteConversation, newConversationId, type Conversation } from './conversations.ts';

export function Sidebar({ current, list }: { current: string; list: readonly Conversation[] }) {
  const begin = (): void => {
    location.hash = `#/${newConversationId()}`;
  };
  return (
    <nav id="conversations" className="sidebar" aria-label="Conversations">
      <p className="brand">
        <img src="/favicon.svg" alt="" width="22" height="22" />
        durable-proxy
      </p>
      <button type="button" className="new" onClick={begin}>
        New conversation
      </button>
      <ul>
        {list.map(({ id, title }) => (
          <li key={id}>
            <a href={`#/${id}`} aria-current={id === current ? 'page' : undefined}>
              {title}
            </a>
            <button
              type="button"
              className="icon"
              aria-label={`Delete “${title}”`}
              onClick={() => {
                deleteConversation(id);
                if (id === current) begin();
              }}
            >
              ×
            </button>
          </li>
        ))}
      </ul>
    </nav>
  );
}
