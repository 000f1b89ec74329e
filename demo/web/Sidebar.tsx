import { useState } from 'react';
import {
  deleteConversation,
  newConversationId,
  renameConversation,
  type Conversation,
} from './conversations.ts';
import { Icon } from './Icon.tsx';
import { PhoneButton } from './PhoneButton.tsx';

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
        <Icon name="plus" />
        New conversation
      </button>
      <ul>
        {list.map((each) => (
          <Entry
            key={each.id}
            conversation={each}
            isCurrent={each.id === current}
            onDelete={() => {
              deleteConversation(each.id);
              if (each.id === current) begin();
            }}
          />
        ))}
      </ul>
      <div className="more">
        <a className="button" href="#/compare" aria-current={current === 'compare' ? 'page' : undefined}>
          <Icon name="columns" />
          Side by side
        </a>
        <PhoneButton />
      </div>
    </nav>
  );
}

interface EntryProps {
  conversation: Conversation;
  isCurrent: boolean;
  onDelete: () => void;
}

function Entry({ conversation: { id, title }, isCurrent, onDelete }: EntryProps) {
  const [isRenaming, setRenaming] = useState(false);
  const rename = (value: string): void => {
    setRenaming(false);
    if (value.trim() !== '' && value.trim() !== title) renameConversation(id, value.trim());
  };
  if (isRenaming)
    return (
      <li>
        <input
          aria-label={`New name of “${title}”`}
          defaultValue={title}
          maxLength={80}
          autoFocus
          onBlur={(event) => rename(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === 'Enter') rename(event.currentTarget.value);
            if (event.key !== 'Escape') return;
            event.stopPropagation();
            setRenaming(false);
          }}
        />
      </li>
    );
  return (
    <li>
      <a href={`#/${id}`} aria-current={isCurrent ? 'page' : undefined}>
        {title}
      </a>
      <button
        type="button"
        className="icon"
        aria-label={`Rename “${title}”`}
        onClick={() => setRenaming(true)}
      >
        <Icon name="edit" />
      </button>
      <button type="button" className="icon" aria-label={`Delete “${title}”`} onClick={onDelete}>
        <Icon name="trash" />
      </button>
    </li>
  );
}
