import { lastAssistantMessageIsCompleteWithApprovalResponses, type FileUIPart } from 'ai';
import { useDurableChat } from 'durable-proxy/react/chat';
import { StreamStatus } from 'durable-proxy/react/status';
import type { DemoMessage } from '../agent/messages.ts';
import { Composer } from './Composer.tsx';
import { Connection } from './Connection.tsx';
import { messagesOf } from './conversations.ts';
import { Messages } from './Messages.tsx';
import { filesOf } from './Question.tsx';
import { useEscape } from './useEscape.ts';
import { upToLastQuestion, useKeeping, useKeptMessages } from './useKeptMessages.ts';
import { Welcome } from './Welcome.tsx';

interface ChatProps {
  id: string;
  /** Called by Escape before it stops the answer. Returns true if there was something to close. */
  onEscape: () => boolean;
}

export function Chat({ id, onEscape }: ChatProps) {
  const kept = useKeptMessages(id);
  const chat = useDurableChat<DemoMessage>({
    id,
    messages: kept,
    api: '/api/chat',
    proxyUrl: '/v1/proxy',
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses,
  });
  const { messages, status, resumption, sendMessage, regenerate, retry, stop, addToolApprovalResponse } =
    chat;
  useKeeping(chat);

  const busy = status === 'submitted' || status === 'streaming';
  useEscape(() => {
    if (!onEscape() && busy) void stop();
  });
  const ask = (text: string, files: FileUIPart[] = []) => void sendMessage({ text, files });
  const edit = (message: DemoMessage, text: string): void => {
    messagesOf(id).set(messages.slice(0, messages.indexOf(message)));
    void sendMessage({ text, files: filesOf(message), messageId: message.id });
  };
  const answerAgain = (): void => {
    messagesOf(id).set(upToLastQuestion(messages));
    void regenerate();
  };
  return (
    <>
      <main className="chat">
        {messages.length === 0 ? (
          <Welcome onSuggestion={ask} />
        ) : (
          <Messages
            messages={messages}
            streaming={busy}
            onEdit={edit}
            onRetry={answerAgain}
            onDecision={(approval, approved) => void addToolApprovalResponse({ id: approval, approved })}
          />
        )}
        <StreamStatus className="status" resumption={resumption} onRetry={() => void retry()} />
        <Composer busy={busy} onSend={ask} onStop={() => void stop()} />
      </main>
      <Connection resumption={resumption} />
    </>
  );
}
