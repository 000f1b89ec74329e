import { ANSWERS } from '../agent/answers.ts';

const SUGGESTIONS = [...ANSWERS.map(({ prompt }) => prompt), 'Book a table for 4 at the lighthouse'];

export function Welcome({ onSuggestion }: { onSuggestion: (text: string) => void }) {
  return (
    <div className="welcome">
      <h2>An answer that survives its connection</h2>
      <p>
        Ask something. While the answer is coming, reload the page, cut the connection, or go offline. It
        continues where it stopped, and the model is called once.
      </p>
      <p>
        <a className="button primary" href="#/compare">
          See it side by side with plain useChat
        </a>
      </p>
      <ul>
        {SUGGESTIONS.map((prompt) => (
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
