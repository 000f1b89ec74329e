import type { UIMessage } from 'ai';
import { useEffect, useRef } from 'react';
import Markdown from 'react-markdown';
import { ANSWERS } from '../server/answers.ts';

interface MessagesProps {
  messages: readonly UIMessage[];
  streaming: boolean;
  onSuggestion: (text: string) => void;
}

export function Messages({ messages, streaming, onSuggestion }: MessagesProps) {
  const end = useStickToEnd(messages);
  if (messages.length === 0) return <Welcome onSuggestion={onSuggestion} />;
  return (
    <ol className="messages" aria-label="Messages">
      {messages.map((message, index) => (
        <li key={message.id} className={message.role}>
          <h2 className="hidden">{message.role === 'user' ? 'You' : 'Answer'}</h2>
          <Message message={message} streaming={streaming && index === messages.length - 1} />
        </li>
      ))}
      <li ref={end} className="end" aria-hidden="true" />
    </ol>
  );
}

function Message({ message, streaming }: { message: UIMessage; streaming: boolean }) {
  if (message.role === 'user') {
    return message.parts.map((part, index) => part.type === 'text' && <p key={index}>{part.text}</p>);
  }
  const hasText = message.parts.some((part) => part.type === 'text' && part.text !== '');
  return (
    <div className="answer" data-streaming={streaming}>
      {message.parts.map((part, index) => {
        if (part.type === 'reasoning') {
          return (
            <details key={index} className="reasoning">
              <summary>{streaming && !hasText ? 'Thinking…' : 'Reasoning'}</summary>
              <p>{part.text}</p>
            </details>
          );
        }
        return part.type === 'text' && <Markdown key={index}>{part.text}</Markdown>;
      })}
    </div>
  );
}

function Welcome({ onSuggestion }: { onSuggestion: (text: string) => void }) {
  return (
    <div className="welcome">
      <h2>An answer that survives its connection</h2>
      <p>
        Ask something. While the answer is coming, reload the page, cut the connection, or go offline. It goes
        on where it was, and the model is called once.
      </p>
      <ul>
        {ANSWERS.map(({ prompt }) => (
          <li key={prompt}>
            <button type="button" onClick={() => onSuggestion(prompt)}>
              {prompt}
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** Keeps the end in view while it grows, unless the reader has scrolled away from it. */
function useStickToEnd(content: unknown) {
  const end = useRef<HTMLLIElement>(null);
  const inView = useRef(true);
  useEffect(() => {
    const element = end.current;
    if (element === null) return;
    const observer = new IntersectionObserver(
      ([entry]) => {
        inView.current = entry?.isIntersecting ?? true;
      },
      { rootMargin: '120px' },
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    if (inView.current) end.current?.scrollIntoView({ block: 'end' });
  }, [content]);
  return end;
}
