import { isTurn, type Turn } from '../core-client/transports/turns.ts';

/** A channel between the tabs of one browser that show the same chat. */
export interface ChatChannel {
  /** Notifies the other tabs that an answer has started. */
  announce(turn: Turn): void;
  close(): void;
}

export interface ChatChannelOptions {
  /** Called when another tab announces an answer. */
  readonly onTurn: (turn: Turn) => void;
  /**
   * Called when another tab has the same chat. Set only if the chat's id is this tab's own: the tab is then a
   * duplicate, to which the browser copied the other tab's `sessionStorage`.
   */
  readonly onDuplicate?: (() => void) | undefined;
}

/** `hello` asks whether another page has the chat, `taken` is the response to the page that asked. */
interface Claim {
  readonly kind: 'hello' | 'taken';
  readonly page: number;
}

/** Opens the channel with this name. Without `BroadcastChannel`, the returned channel does nothing. */
export function openChatChannel(name: string, { onTurn, onDuplicate }: ChatChannelOptions): ChatChannel {
  // Identifies the document: components of one page share a chat.
  const page = performance.timeOrigin;
  let channel: BroadcastChannel | undefined;
  const open = () => {
    if (channel || typeof BroadcastChannel === 'undefined') return;
    const opened = (channel = new BroadcastChannel(name));
    opened.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (isTurn(data)) onTurn(data);
      else if (!onDuplicate || !isClaim(data)) return;
      else if (data.kind === 'taken' && data.page === page) onDuplicate();
      else if (data.kind === 'hello' && data.page !== page) opened.postMessage({ ...data, kind: 'taken' });
    };
    // In Node, an open channel keeps the process alive. Browsers have no `unref`.
    (channel as { unref?: () => void }).unref?.();
  };
  // An open channel keeps a page out of the back/forward cache.
  const shut = () => {
    channel?.close();
    channel = undefined;
  };
  open();
  if (onDuplicate) channel?.postMessage({ kind: 'hello', page } satisfies Claim);
  // React Native has no page events.
  const events = globalThis as Partial<Pick<Window, 'addEventListener' | 'removeEventListener'>>;
  events.addEventListener?.('pagehide', shut);
  events.addEventListener?.('pageshow', open);
  return {
    announce(turn) {
      try {
        channel?.postMessage(turn);
      } catch {
        // A message that contains a function, for example, cannot be cloned. The request used its JSON form, too.
        channel?.postMessage(JSON.parse(JSON.stringify(turn)));
      }
    },
    close() {
      events.removeEventListener?.('pagehide', shut);
      events.removeEventListener?.('pageshow', open);
      shut();
    },
  };
}

function isClaim(value: unknown): value is Claim {
  return typeof value === 'object' && value !== null && 'kind' in value && 'page' in value;
}
