import type { UIMessage } from 'ai';
import { useLayoutEffect, useRef, type UIEvent } from 'react';
import Markdown from 'react-markdown';
import { ANSWERS } from '../agent/answers.ts';

interface MessagesProps {
  messages: readonly UIMessage[];
  streaming: boolean;
  onSuggestion: (text: string) => void;
}

export function Messages({ messages, streaming, onSuggestion }: MessagesProps) {
  const stickToEnd = useStickToEnd(messages);
  if (messages.length === 0) return <Welcome onSuggestion={onSuggestion} />;
  return (
    <ol className="messages" aria-label="Messages" {...stickToEnd}>
      {messages.map((message, index) => (
        <li key={message.id} className={message.role}>
          <h2 className="hidden">{message.role === 'user' ? 'You' : 'Answer'}</h2>
          <Message message={message} streaming={streaming && index === messages.length - 1} />
        </li>
      ))}
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
        Ask something. While the answer is coming, reload the page, cut the connection, or go offline. It
        continues where it stopped, and the model is called once.
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

/** Distance from the end, in pixels, within which a reader follows the answer. */
const NEAR_END = 120;

/** Keeps the end in view while it grows, unless the reader has scrolled away. A new question leads back to the end. */
function useStickToEnd(messages: readonly UIMessage[]) {
  const list = useRef<HTMLOListElement>(null);
  const sticks = useRef(true);
  const question = messages.findLast(({ role }) => role === 'user')?.id;
  useLayoutEffect(() => {
    sticks.current = true;
  }, [question]);
  useLayoutEffect(() => {
    if (sticks.current && list.current) list.current.scrollTop = list.current.scrollHeight;
  }, [messages]);
  const onScroll = ({ currentTarget }: UIEvent<HTMLElement>): void => {
    const { scrollHeight, scrollTop, clientHeight } = currentTarget;
    sticks.current = scrollHeight - scrollTop - clientHeight < NEAR_END;
  };
  return { ref: list, onScroll };
}
