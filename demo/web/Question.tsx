import type { FileUIPart } from 'ai';
import { useState, type SubmitEvent, type KeyboardEvent } from 'react';
import type { DemoMessage } from '../agent/messages.ts';
import { plainText } from './conversations.ts';
import { CopyButton } from './CopyButton.tsx';
import { Icon } from './Icon.tsx';

interface QuestionProps {
  message: DemoMessage;
  /** Called with the new text. Without it, the question cannot be edited. */
  onEdit?: ((text: string) => void) | undefined;
}

export function Question({ message, onEdit }: QuestionProps) {
  const [draft, setDraft] = useState<string>();
  const images = filesOf(message);
  const save = (event: SubmitEvent): void => {
    event.preventDefault();
    if (draft === undefined || draft.trim() === '') return;
    setDraft(undefined);
    onEdit?.(draft.trim());
  };
  const keyDown = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape') return;
    event.stopPropagation();
    setDraft(undefined);
  };
  if (draft !== undefined)
    return (
      <form className="edit" onSubmit={save} onKeyDown={keyDown}>
        <textarea
          aria-label="Edit the message"
          autoFocus
          value={draft}
          rows={2}
          onChange={(event) => setDraft(event.target.value)}
        />
        <div className="choices">
          <button type="submit" className="primary">
            Ask again
          </button>
          <button type="button" onClick={() => setDraft(undefined)}>
            Cancel
          </button>
        </div>
      </form>
    );
  return (
    <>
      <div className="bubble">
        {images.map(({ url, filename = 'Attached image' }) => (
          <img key={url} src={url} alt={filename} />
        ))}
        {message.parts.map((part, index) => part.type === 'text' && <p key={index}>{part.text}</p>)}
      </div>
      <div className="actions">
        <CopyButton text={plainText(message)} label="Copy message" />
        {onEdit && (
          <button
            type="button"
            className="icon"
            aria-label="Edit message"
            title="Edit message"
            onClick={() => setDraft(plainText(message))}
          >
            <Icon name="edit" />
          </button>
        )}
      </div>
    </>
  );
}

/** Returns the images of a message. */
export function filesOf(message: DemoMessage): FileUIPart[] {
  return message.parts.filter((part) => part.type === 'file');
}
