import type { FileUIPart } from 'ai';
import {
  useRef,
  useState,
  type ChangeEvent,
  type KeyboardEvent,
  type MouseEvent,
  type SubmitEvent,
} from 'react';
import { readImage } from './attachment.ts';
import { Icon } from './Icon.tsx';

interface ComposerProps {
  busy: boolean;
  onSend: (text: string, files: FileUIPart[]) => void;
  onStop: () => void;
}

export function Composer({ busy, onSend, onStop }: ComposerProps) {
  const [text, setText] = useState('');
  const [image, setImage] = useState<FileUIPart>();
  const [problem, setProblem] = useState('');
  const field = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const isEmpty = text.trim() === '' && image === undefined;
  const send = (): void => {
    if (busy || isEmpty) return;
    onSend(text.trim(), image === undefined ? [] : [image]);
    setText('');
    setImage(undefined);
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
  const attach = (event: ChangeEvent<HTMLInputElement>): void => {
    const [file] = event.target.files ?? [];
    // The same file can be chosen again.
    event.target.value = '';
    if (!file) return;
    readImage(file).then(
      (read) => {
        setImage(read);
        setProblem('');
        field.current?.focus();
      },
      () => setProblem(`“${file.name}” is not an image that this browser can read.`),
    );
  };
  return (
    <form className="composer" onSubmit={submit}>
      {problem !== '' && <p role="alert">{problem}</p>}
      {image && (
        <div className="attached">
          <img src={image.url} alt={image.filename ?? 'Attached image'} />
          <button
            type="button"
            className="icon"
            aria-label="Remove the image"
            onClick={() => setImage(undefined)}
          >
            <Icon name="close" />
          </button>
        </div>
      )}
      <div className="row">
        <input ref={picker} type="file" accept="image/*" hidden onChange={attach} aria-label="Image" />
        <button
          type="button"
          className="icon"
          aria-label="Attach an image"
          title="Attach an image"
          onClick={() => picker.current?.click()}
        >
          <Icon name="image" />
        </button>
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
          <button type="button" className="send" aria-label="Stop" title="Stop (Escape)" onClick={stop}>
            <Icon name="stop" />
          </button>
        ) : (
          <button type="submit" className="send" aria-label="Send" title="Send (Enter)" disabled={isEmpty}>
            <Icon name="send" />
          </button>
        )}
      </div>
    </form>
  );
}
