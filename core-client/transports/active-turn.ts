import type { DurableRequestInit, DurableResponse, Resumption } from '../types.ts';
import { openTools, type OpenTools } from './open-tools.ts';
import type { ResumptionStore } from './resumption-store.ts';
import type { TurnStore } from './turn-store.ts';
import type { Turn } from './turns.ts';

/** The chats of one caller. Another caller of the same page has others. */
export class ChatScope {
  /** See `DurableFetchOptions.scope`. */
  readonly name: string;
  readonly turns: TurnStore;
  /** The turns in progress, by chat. */
  readonly active = new Map<string, ActiveTurn>();
  /** By chat, the newest turn whose answer is complete, while a tool of the page still runs. */
  readonly waiting = new Map<string, ActiveTurn>();
  /** By chat, the stream of an answer that ended with a model error. It is read to its end and not resumed. */
  readonly failed = new Map<string, string | undefined>();

  constructor(name: string, turns: TurnStore) {
    this.name = name;
    this.turns = turns;
  }

  /** Returns true if the page shows this answer and still runs one of its tools. */
  isShown(chatId: string, { streamId, openTools }: Turn): boolean {
    return openTools !== undefined && this.waiting.get(chatId)?.turn.streamId === streamId;
  }

  /** Returns true if this answer ended with a model error. */
  hasFailed(chatId: string, { streamId }: DurableResponse): boolean {
    return this.failed.has(chatId) && this.failed.get(chatId) === streamId;
  }
}

/** A turn whose request was sent, while its answer arrives. */
export interface ActiveTurn {
  readonly scope: ChatScope;
  readonly chatId: string;
  turn: Turn;
  response: Promise<DurableResponse | null>;
  /** The tool calls that the page has to run. */
  readonly tools: OpenTools;
  /** Cancels the request while it has no response. */
  readonly stop: AbortController;
  /** True for a look-up that has not found an answer. */
  readonly isQuiet: boolean;
  /** From now on, shows the resumption of this turn as that of the connection. */
  show(): void;
  /** Marks the turn as failed although its answer arrived. */
  fail(error: Error): void;
}

export interface ActiveTurnOptions {
  /** Shows the resumption of the newest turn. */
  readonly resumption: ResumptionStore;
  readonly onResumption: ((resumption: Resumption) => void) | undefined;
  /** Returns true if the turn is the newest one. */
  readonly isLatest: (active: ActiveTurn) => boolean;
  readonly onShow: (active: ActiveTurn) => void;
  /** True to show nothing of the turn until `show()`. */
  readonly quiet: boolean;
}

/**
 * Starts the call of a turn.
 * @param fetch sends the request. The caller need not await its response.
 */
export function startTurn(
  { scope, chatId, turn }: Pick<ActiveTurn, 'scope' | 'chatId' | 'turn'>,
  { resumption, onResumption, isLatest, onShow, quiet }: ActiveTurnOptions,
  fetch: (own: Pick<DurableRequestInit, 'onResumption' | 'signal'>) => Promise<DurableResponse | null>,
): ActiveTurn {
  const stop = new AbortController();
  let isQuiet = quiet;
  let newest: Resumption | undefined;
  let failure: Error | undefined;
  const publish = (now: Resumption) => {
    newest = failure ? { ...now, status: 'failed', error: failure } : now;
    if (isQuiet) return;
    if (isLatest(active)) resumption.set(newest);
    onResumption?.(newest);
  };
  const active: ActiveTurn = {
    scope,
    chatId,
    turn,
    response: Promise.resolve(null),
    stop,
    tools: openTools(),
    get isQuiet() {
      return isQuiet;
    },
    show() {
      isQuiet = false;
      onShow(active);
      if (newest) resumption.set(newest);
    },
    fail(error) {
      failure = error;
      publish(newest ?? resumption.getSnapshot());
    },
  };
  if (!quiet) active.show();
  active.response = fetch({ onResumption: publish, signal: stop.signal });
  // Callers that await the response get the error. If the reader left, there is none.
  active.response.catch(() => undefined);
  return active;
}
