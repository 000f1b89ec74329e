import { useLayoutEffect, useRef, type UIEvent } from 'react';
import type { DemoMessage } from '../agent/messages.ts';
import { Answer, Cost } from './Answer.tsx';
import { plainText } from './conversations.ts';
import { CopyButton } from './CopyButton.tsx';
import { Icon } from './Icon.tsx';
import { Question } from './Question.tsx';

interface MessagesProps {
  messages: readonly DemoMessage[];
  streaming: boolean;
  onEdit?: (message: DemoMessage, text: string) => void;
  /** Asks for another answer to the last question. */
  onRetry?: () => void;
  onDecision?: (id: string, approved: boolean) => void;
}

export function Messages({ messages, streaming, onEdit, onRetry, onDecision }: MessagesProps) {
  const stickToEnd = useStickToEnd(messages, streaming);
  return (
    <ol className="messages" aria-label="Messages" tabIndex={0} {...stickToEnd}>
      {messages.map((message, index) => {
        const isLast = index === messages.length - 1;
        const arrives = streaming && isLast;
        if (message.role === 'user')
          return (
            <li key={message.id} className="user">
              <h2 className="hidden">You</h2>
              <Question
                message={message}
                onEdit={streaming || !onEdit ? undefined : (text) => onEdit(message, text)}
              />
            </li>
          );
        return (
          <li key={message.id} className="assistant">
            <h2 className="hidden">Answer</h2>
            <Answer message={message} streaming={arrives} onDecision={onDecision} />
            {!arrives && (
              <div className="actions">
                <CopyButton text={plainText(message)} label="Copy answer" />
                {isLast && onRetry && (
                  <button
                    type="button"
                    className="icon"
                    aria-label="Answer again"
                    title="Answer again"
                    onClick={onRetry}
                  >
                    <Icon name="retry" />
                  </button>
                )}
                {message.metadata && <Cost {...message.metadata} />}
              </div>
            )}
          </li>
        );
      })}
    </ol>
  );
}

/** Distance from the end, in pixels, within which a reader follows the answer. */
const NEAR_END = 120;

/** Keeps the end in view while it grows, unless the reader has scrolled away. A new question leads back to the end. */
function useStickToEnd(messages: readonly DemoMessage[], streaming: boolean) {
  const list = useRef<HTMLOListElement>(null);
  const sticks = useRef(true);
  const question = messages.findLast(({ role }) => role === 'user')?.id;
  useLayoutEffect(() => {
    sticks.current = true;
  }, [question]);
  useLayoutEffect(() => {
    if (sticks.current && list.current) list.current.scrollTop = list.current.scrollHeight;
    // The buttons below an answer appear when it is over, without a change of the messages.
  }, [messages, streaming]);
  const onScroll = ({ currentTarget }: UIEvent<HTMLElement>): void => {
    const { scrollHeight, scrollTop, clientHeight } = currentTarget;
    sticks.current = scrollHeight - scrollTop - clientHeight < NEAR_END;
  };
  return { ref: list, onScroll };
}
