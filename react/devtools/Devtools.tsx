import {
  useLayoutEffect,
  useState,
  useSyncExternalStore,
  type KeyboardEvent,
  type ReactElement,
} from 'react';
import { isOver } from '../../core-client/state.ts';
import { AnswerLog, type LoggedAnswer } from './answer-log.ts';
import { clearStorage } from './clear-storage.ts';
import { Network } from './network.ts';
import { observeFetch } from './observe-fetch.ts';
import { useStyles } from './styles.ts';

/** Milliseconds that the button *Go offline for 5 s* lasts. */
const OFFLINE_MS = 5_000;

/** Props of `DurableDevtools`. */
export interface DurableDevtoolsProps {
  /** Whether the panel is open when the page opens. @default false */
  initialIsOpen?: boolean | undefined;
  /** Corner of the page. @default 'bottom-right' */
  position?: 'bottom-left' | 'bottom-right' | undefined;
  /** The option `storagePrefix` of the clients, for *Clear storage*. @default 'durable-proxy' */
  storagePrefix?: string | undefined;
}

/** The panel, in every environment. */
export function Devtools({
  initialIsOpen = false,
  position = 'bottom-right',
  storagePrefix = 'durable-proxy',
}: DurableDevtoolsProps): ReactElement {
  const [{ log, network }] = useState(() => ({ log: new AnswerLog(), network: new Network() }));
  const [isOpen, setOpen] = useState(initialIsOpen);
  const [isSlow, setSlow] = useState(false);
  const [selected, select] = useState<number>();
  const [said, say] = useState('');
  const answers = useSyncExternalStore(log.subscribe, log.getSnapshot, log.getSnapshot);
  useStyles();

  // A layout effect, because hooks resume their answers in effects, which run later.
  useLayoutEffect(() => {
    const original = window.fetch;
    const observed = observeFetch((...given) => original(...given), log, network);
    window.fetch = observed;
    return () => {
      // Another tool may have wrapped `fetch` since.
      if (window.fetch === observed) window.fetch = original;
    };
  }, [log, network]);

  const shown = answers.find(({ id }) => id === selected) ?? answers[0];
  const running = answers.filter(({ status }) => status !== 'idle' && !isOver(status)).length;
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape') return;
    event.stopPropagation();
    setOpen(false);
  };

  if (!isOpen)
    return (
      <div className="durable-devtools" data-position={position}>
        <button
          type="button"
          className="durable-devtools-toggle"
          aria-label="Open durable-proxy devtools"
          onClick={() => setOpen(true)}
        >
          durable {running > 0 && `· ${running}`}
        </button>
      </div>
    );

  const drop = (): void => {
    const count = network.drop();
    say(count === 1 ? 'Dropped 1 connection' : `Dropped ${count} connections`);
  };
  const goOffline = (): void => {
    network.goOffline(OFFLINE_MS);
    say('Offline for 5 s');
  };
  const toggleSlow = (): void => {
    network.slow(!isSlow);
    setSlow(!isSlow);
    say(isSlow ? 'Reading at full speed' : 'Reading 400 bytes per second');
  };
  const clear = (): void => {
    clearStorage(storagePrefix);
    say('Storage cleared: a reload resumes nothing');
  };

  return (
    <div className="durable-devtools" data-position={position}>
      <section aria-label="durable-proxy devtools" onKeyDown={onKeyDown}>
        <header>
          <h2>durable-proxy</h2>
          <small role="status">{said}</small>
          <button type="button" aria-label="Close durable-proxy devtools" onClick={() => setOpen(false)}>
            ✕
          </button>
        </header>
        <div role="toolbar" aria-label="Faults">
          <button type="button" onClick={drop}>
            Drop the connection
          </button>
          <button type="button" onClick={goOffline}>
            Go offline for 5 s
          </button>
          <button type="button" aria-pressed={isSlow} onClick={toggleSlow}>
            Slow the reader
          </button>
          <button type="button" onClick={clear}>
            Clear storage
          </button>
        </div>
        {shown ? (
          <div className="durable-devtools-body">
            <ul aria-label="Answers">
              {answers.map((answer) => (
                <li key={answer.id}>
                  <button type="button" aria-pressed={answer === shown} onClick={() => select(answer.id)}>
                    <span data-status={answer.status}>{answer.status}</span>
                    <br />
                    <small>{titleOf(answer)}</small>
                  </button>
                </li>
              ))}
            </ul>
            <Details answer={shown} />
          </div>
        ) : (
          <p className="durable-devtools-empty">No answer was requested since this panel was mounted.</p>
        )}
      </section>
    </div>
  );
}

function Details({ answer }: { answer: LoggedAnswer }): ReactElement {
  const facts = {
    Request: answer.target ?? 'of an earlier page',
    State: answer.status,
    Offset: answer.offset ?? '–',
    Received: `${answer.receivedBytes.toLocaleString('en')} bytes`,
    Attempts: answer.attempt,
    Stream: answer.streamId ?? '–',
  };
  return (
    <article aria-label="Answer" tabIndex={0}>
      <dl>
        {Object.entries(facts).map(([name, value]) => [
          <dt key={name}>{name}</dt>,
          <dd key={`${name} value`}>{value}</dd>,
        ])}
      </dl>
      <ol aria-label="Timeline">
        {answer.entries.map(({ ms, text, status }, index) => (
          <li key={index}>
            <time>{(ms / 1000).toFixed(2)} s</time>
            <span data-status={status}>{text}</span>
          </li>
        ))}
      </ol>
    </article>
  );
}

function titleOf({ target, streamId }: LoggedAnswer): string {
  return target ?? `Stream ${streamId ?? ''}`;
}
