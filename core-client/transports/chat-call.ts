import type { DurableRequestInit, DurableResponse, Resumption } from '../types.ts';
import type { ChatScope } from './chat-scope.ts';
import { openTools, type OpenTools } from './open-tools.ts';
import type { ResumptionStore } from './resumption-store.ts';
import type { Turn } from './turns.ts';

/** One request of a chat and its answer. */
export interface ChatCall {
  readonly scope: ChatScope;
  readonly chatId: string;
  turn: Turn;
  response: Promise<DurableResponse | null>;
  /** Calls of tools that the page has to run. */
  readonly tools: OpenTools;
  /** Ends the request, while it has no response. */
  readonly stop: AbortController;
  /** Makes the connection's resumption that of this call, from now on. */
  show(): void;
  /** Sets what the network does not know: the answer arrived and is a failure all the same. */
  fail(error: Error): void;
}

export interface ChatCallOptions {
  /** Shows the resumption of the newest call. */
  readonly resumption: ResumptionStore;
  readonly onResumption: ((resumption: Resumption) => void) | undefined;
  /** Is the call the newest one? */
  readonly isLatest: (call: ChatCall) => boolean;
  readonly onShow: (call: ChatCall) => void;
  /** True: nothing is shown of the call until `show()`. */
  readonly quiet: boolean;
}

/** @param fetch begins the request. Its response may also be awaited by nobody. */
export function startChatCall(
  scope: ChatScope,
  chatId: string,
  turn: Turn,
  { resumption, onResumption, isLatest, onShow, quiet }: ChatCallOptions,
  fetch: (own: Pick<DurableRequestInit, 'onResumption' | 'signal'>) => Promise<DurableResponse | null>,
): ChatCall {
  const stop = new AbortController();
  let isQuiet = quiet;
  let newest: Resumption | undefined;
  let failure: Error | undefined;
  const publish = (now: Resumption) => {
    newest = failure ? { ...now, status: 'failed', error: failure } : now;
    if (isQuiet) return;
    if (isLatest(call)) resumption.set(newest);
    onResumption?.(newest);
  };
  const call: ChatCall = {
    scope,
    chatId,
    turn,
    response: Promise.resolve(null),
    stop,
    tools: openTools(),
    show() {
      isQuiet = false;
      onShow(call);
      if (newest) resumption.set(newest);
    },
    fail(error) {
      failure = error;
      publish(newest ?? resumption.getSnapshot());
    },
  };
  if (!quiet) call.show();
  call.response = fetch({ onResumption: publish, signal: stop.signal });
  // Those who wait for it are told; when the reader left, nobody waits.
  call.response.catch(() => undefined);
  return call;
}
