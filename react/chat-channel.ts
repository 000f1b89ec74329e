import { isTurn, type Turn } from '../core-client/transports/turns.ts';

/** How the tabs of one browser tell each other that an answer began in a chat. */
export interface ChatChannel {
  tell(turn: Turn): void;
  close(): void;
}

/** Does nothing where there is no `BroadcastChannel`. */
export function openChatChannel(name: string, onTurn: (turn: Turn) => void): ChatChannel {
  let channel: BroadcastChannel | undefined;
  const open = () => {
    if (channel || typeof BroadcastChannel === 'undefined') return;
    channel = new BroadcastChannel(name);
    channel.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (isTurn(data)) onTurn(data);
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
  addEventListener('pagehide', shut);
  addEventListener('pageshow', open);
  return {
    tell: (turn) => channel?.postMessage(turn),
    close() {
      removeEventListener('pagehide', shut);
      removeEventListener('pageshow', open);
      shut();
    },
  };
}
