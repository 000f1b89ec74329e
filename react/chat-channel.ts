import { isTurn, type Turn } from '../core-client/transports/turns.ts';

/** How the tabs of one browser tell each other that an answer began in a chat. */
export interface ChatChannel {
  tell(turn: Turn): void;
  close(): void;
}

export interface ChatChannelOptions {
  readonly onTurn: (turn: Turn) => void;
  /**
   * Called when another tab has this chat. Only where the chat's id is this tab's own: then the tab is a
   * duplicate, which the browser gave a copy of the other's `sessionStorage`.
   */
  readonly onTaken?: (() => void) | undefined;
}

/** Asks whether another page has the chat (`hello`), and the answer to the page that asked (`taken`). */
interface Claim {
  readonly kind: 'hello' | 'taken';
  readonly page: number;
}

/** Does nothing where there is no `BroadcastChannel`. */
export function openChatChannel(name: string, { onTurn, onTaken }: ChatChannelOptions): ChatChannel {
  // Distinguishes documents: components of one page share a chat.
  const page = performance.timeOrigin;
  let channel: BroadcastChannel | undefined;
  const open = () => {
    if (channel || typeof BroadcastChannel === 'undefined') return;
    const opened = (channel = new BroadcastChannel(name));
    opened.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (isTurn(data)) onTurn(data);
      else if (!onTaken || !isClaim(data)) return;
      else if (data.kind === 'taken' && data.page === page) onTaken();
      else if (data.kind === 'hello' && data.page !== page) opened.postMessage({ ...data, kind: 'taken' });
    };
    // Node keeps a process alive for one that listens; browsers have no such thing.
    (channel as { unref?: () => void }).unref?.();
  };
  // An open channel keeps a page out of the back and forward cache.
  const shut = () => {
    channel?.close();
    channel = undefined;
  };
  open();
  if (onTaken) channel?.postMessage({ kind: 'hello', page } satisfies Claim);
  addEventListener('pagehide', shut);
  addEventListener('pageshow', open);
  return {
    tell(turn) {
      try {
        channel?.postMessage(turn);
      } catch {
        // A message with a function in it, say, cannot be cloned. The request had its JSON form, too.
        channel?.postMessage(JSON.parse(JSON.stringify(turn)));
      }
    },
    close() {
      removeEventListener('pagehide', shut);
      removeEventListener('pageshow', open);
      shut();
    },
  };
}

function isClaim(value: unknown): value is Claim {
  return typeof value === 'object' && value !== null && 'kind' in value && 'page' in value;
}
