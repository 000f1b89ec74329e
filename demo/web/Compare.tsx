import { useChat } from '@ai-sdk/react';
import { DefaultChatTransport, type ChatStatus } from 'ai';
import type { ResumptionStatus } from 'durable-proxy/client';
import { useDurableChat } from 'durable-proxy/react/chat';
import { useState, type SubmitEvent } from 'react';
import type { DemoMessage } from '../agent/messages.ts';
import { messagesOf } from './conversations.ts';
import { Messages } from './Messages.tsx';
import { post } from './post.ts';
import { useEscape } from './useEscape.ts';
import { useKeeping, useKeptMessages } from './useKeptMessages.ts';

const QUESTION = 'Tell me a long story about a lighthouse keeper';

const PLAIN = 'compare-plain';
const DURABLE = 'compare-durable';

/**
 * The same question to a plain `useChat` and to `useDurableChat`, in the same page and over the same network.
 * @param props `onEscape` as for `Chat`.
 */
export function Compare({ onEscape }: { onEscape: () => boolean }) {
  const [transport] = useState(() => new DefaultChatTransport<DemoMessage>({ api: '/plain/chat' }));
  const plain = useChat<DemoMessage>({ id: PLAIN, messages: useKeptMessages(PLAIN), transport });
  const durable = useDurableChat<DemoMessage>({
    id: DURABLE,
    messages: useKeptMessages(DURABLE),
    api: '/api/chat',
    proxyUrl: '/v1/proxy',
  });
  useKeeping({ id: PLAIN, messages: plain.messages, status: plain.status }, { isListed: false });
  useKeeping({ id: DURABLE, messages: durable.messages, status: durable.status }, { isListed: false });
  const [text, setText] = useState(QUESTION);

  const isBusy = [plain.status, durable.status].some(isRunning);
  const stop = (): void => void Promise.all([plain.stop(), durable.stop()]);
  useEscape(() => {
    if (!onEscape() && isBusy) stop();
  });
  const ask = (event: SubmitEvent): void => {
    event.preventDefault();
    for (const chat of [plain, durable]) {
      messagesOf(chat.id).remove();
      chat.setMessages([]);
      void chat.sendMessage({ text });
    }
  };
  return (
    <main className="compare">
      <div className="panes">
        <Pane
          title="Plain useChat"
          note="The browser holds the only copy."
          messages={plain.messages}
          isRunning={isRunning(plain.status)}
          verdict={plainVerdict(plain.messages, plain.status)}
        />
        <Pane
          title="useDurableChat"
          note="The answer has a life of its own."
          messages={durable.messages}
          isRunning={isRunning(durable.status)}
          verdict={durableVerdict(durable.messages, durable.resumption.status)}
        />
      </div>
      <form className="ask-both" onSubmit={ask}>
        <label className="hidden" htmlFor="composer">
          Question for both
        </label>
        <input id="composer" value={text} onChange={(event) => setText(event.target.value)} />
        {isBusy ? (
          <button type="button" onClick={stop}>
            Stop
          </button>
        ) : (
          <button type="submit" className="primary" disabled={text.trim() === ''}>
            Ask both
          </button>
        )}
      </form>
      <div className="faults" role="group" aria-label="Break something">
        <button type="button" onClick={() => location.reload()}>
          Reload the page
        </button>
        <button type="button" onClick={() => void post('cut')}>
          Cut the connection
        </button>
        <button type="button" className="danger" onClick={() => void post('crash')}>
          Kill the server
        </button>
      </div>
    </main>
  );
}

interface PaneProps {
  title: string;
  note: string;
  messages: readonly DemoMessage[];
  isRunning: boolean;
  verdict: string;
}

function Pane({ title, note, messages, isRunning, verdict }: PaneProps) {
  return (
    <section className="pane" aria-label={title} data-verdict={verdict}>
      <header>
        <h2>{title}</h2>
        <p role="status">{verdict}</p>
      </header>
      {messages.length === 0 ? (
        <p className="empty">{note}</p>
      ) : (
        <Messages messages={messages} streaming={isRunning} />
      )}
      {verdict === 'Lost' && (
        <p className="lost">
          The rest of the answer was lost. Asking again starts from nothing, and is paid for again.
        </p>
      )}
    </section>
  );
}

function plainVerdict(messages: readonly DemoMessage[], status: ChatStatus): string {
  if (messages.length === 0) return 'Ready';
  if (isRunning(status)) return 'Receiving';
  return isComplete(messages) ? 'Complete' : 'Lost';
}

function durableVerdict(messages: readonly DemoMessage[], status: ResumptionStatus): string {
  if (status === 'creating' || status === 'streaming') return 'Receiving';
  if (status === 'reconnecting') return 'Reconnecting';
  if (status === 'failed' || status === 'expired') return 'Lost';
  if (status === 'aborted') return 'Stopped';
  if (isComplete(messages)) return 'Complete';
  return messages.length === 0 ? 'Ready' : 'Waiting';
}

/** A complete answer has metadata, which is sent with its end. */
function isComplete(messages: readonly DemoMessage[]): boolean {
  return messages.at(-1)?.metadata !== undefined;
}

function isRunning(status: ChatStatus): boolean {
  return status === 'submitted' || status === 'streaming';
}
