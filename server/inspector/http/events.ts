import { SSE_HEADERS } from '../../http/sse-headers.ts';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Hub } from '../hub.ts';
import type { Viewer } from '../viewers.ts';
import { Refusal } from './refusal.ts';

/** Milliseconds after which the page has to reconnect, so that it is authorized again. */
const MAX_MS = 300_000;

/** Sends the messages of the hub to one page as server-sent events. */
export function sendEvents(req: IncomingMessage, res: ServerResponse, hub: Hub): void {
  const viewer: Viewer = {
    get isBehind() {
      return res.writableNeedDrain;
    },
    send(message) {
      if (!res.headersSent) open(res);
      // JSON contains no line breaks.
      res.write(`data: ${message}\n\n`);
    },
    end() {
      clearTimeout(timer);
      res.end();
    },
  };
  const leave = () => {
    clearTimeout(timer);
    hub.disconnect(viewer);
  };
  const timer = setTimeout(() => {
    leave();
    res.end();
  }, MAX_MS).unref();
  res.once('close', leave);
  if (hub.connect(viewer)) return;
  res.off('close', leave);
  clearTimeout(timer);
  throw new Refusal(429, 'Too many pages of the inspector are open');
}

function open(res: ServerResponse): void {
  res.writeHead(200, SSE_HEADERS);
  res.write('retry: 1000\n\n');
}
