import { useRef, useState, type MouseEvent, type KeyboardEvent, type SubmitEvent } from 'react';

interface ComposerProps {
  busy: boolean;
  onSend: (text: string) => void;
  onStop: () => void;
}

export function Composer({ busy, onSend, onStop }: ComposerProps) {
  const [text, setText] = useState('');
  const field = useRef<HTMLTextAreaElement>(null);
  const send = (): void => {
    if (busy || text.trim() === '') return;
    onSend(text.trim());
    setText('');
  };
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    send();
  };
  const keyDown = (event: KeyboardEvent): void => {
    // Ignores an Enter that ends a composition (Chinese, Japanese, Korean).
    if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      send();
    }
  };
  const stop = (event: MouseEvent): void => {
    // Ignores the second click of a double click on Send, because Stop is at the same place then.
    if (event.detail > 1) return;
    onStop();
    field.current?.focus();
  };
  return (
    <form className="composer" onSubmit={submit}>
      <label className="hidden" htmlFor="composer">
        Message
      </label>
      <textarea
        id="composer"
        ref={field}
        rows={1}
        value={text}
        placeholder="Ask something"
        autoComplete="off"
        onChange={(event) => setText(event.target.value)}
        onKeyDown={keyDown}
      />
      {busy ? (
        <button type="button" className="stop" onClick={stop}>
          Stop
        </button>
      ) : (
        <button type="submit" className="send" disabled={text.trim() === ''}>
          Send
        </button>
      )}
    </form>
  );
}
