import Markdown, { type Components } from 'react-markdown';
import remarkGfm from 'remark-gfm';
import type { AnswerMetadata, DemoMessage } from '../agent/messages.ts';
import { Booking } from './Booking.tsx';
import { CodeBlock } from './CodeBlock.tsx';

const COMPONENTS: Components = {
  pre: CodeBlock,
  table: ({ children }) => (
    <div className="table" tabIndex={0} role="region" aria-label="Table">
      <table>{children}</table>
    </div>
  ),
};
const PLUGINS = [remarkGfm];

interface AnswerProps {
  message: DemoMessage;
  streaming: boolean;
  /** Called with the id of an approval, and the decision. Without it, tools cannot be approved. */
  onDecision?: ((id: string, approved: boolean) => void) | undefined;
}

/** An answer of the model: reasoning, text, and calls of the tool. */
export function Answer({ message, streaming, onDecision }: AnswerProps) {
  const hasText = message.parts.some((part) => part.type === 'text' && part.text !== '');
  return (
    <div className="answer" data-streaming={streaming}>
      {message.parts.map((part, index) => {
        if (part.type === 'reasoning')
          return (
            <details key={index} className="reasoning">
              <summary>{streaming && !hasText ? 'Thinking…' : 'Reasoning'}</summary>
              <p>{part.text}</p>
            </details>
          );
        if (part.type === 'tool-bookTable')
          return <Booking key={index} part={part} onDecision={onDecision} />;
        return (
          part.type === 'text' && (
            <Markdown key={index} components={COMPONENTS} remarkPlugins={PLUGINS}>
              {part.text}
            </Markdown>
          )
        );
      })}
    </div>
  );
}

/** What an answer has cost. */
export function Cost({ inputTokens, outputTokens, usd, durationMs, model }: AnswerMetadata) {
  return (
    <span className="cost" title={`${model}: ${inputTokens} tokens in, ${outputTokens} tokens out`}>
      {(inputTokens + outputTokens).toLocaleString('en')} tokens{' '}
      {usd !== undefined && `· $${usd.toFixed(4)} `}· {(durationMs / 1000).toFixed(1)} s
    </span>
  );
}
