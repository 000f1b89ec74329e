import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';

/** Milliseconds that a finished run is kept, so that a proxy that was down can still fetch its end. */
const KEEP_MS = 600_000;
/** Maximum number of runs in memory. The oldest one is stopped and removed. */
const MAX_RUNS = 100;

/** One answer of the model: all events so far, numbered from 1, and the responses that follow them. */
export interface Run {
  readonly id: string;
  /** Aborts when the run is stopped. */
  readonly signal: AbortSignal;
  readonly isOver: boolean;
  /** Adds the next event, without its `id` field and its blank line. */
  push(event: string): void;
  /** Ends the run. Its events stay readable for ten minutes. */
  end(): void;
  /** Stops the model. */
  stop(): void;
  /** Stops the model and ends the run with an error event, as a model that fails in the middle of an answer does. */
  fail(message: string): void;
  /** Sends the events after number `after`, and those to come. Closing the response does not stop the run. */
  follow(response: ServerResponse, after: number): void;
}

/** Runs that outlive their connections. In memory: when this process dies, its runs are lost. */
export class Runs {
  readonly #runs = new Map<string, Run>();

  get(id: string): Run | undefined {
    return this.#runs.get(id);
  }

  /** Makes all running models fail. Returns their number. */
  fail(message: string): number {
    const running = [...this.#runs.values()].filter((run) => !run.isOver);
    for (const run of running) run.fail(message);
    return running.length;
  }

  create(): Run {
    const id = randomUUID();
    const run = createRun(id, () => {
      setTimeout(() => this.#runs.delete(id), KEEP_MS).unref();
    });
    this.#runs.set(id, run);
    const [oldest] = this.#runs.values();
    if (this.#runs.size > MAX_RUNS && oldest) {
      oldest.stop();
      this.#runs.delete(oldest.id);
    }
    return run;
  }
}

function createRun(id: string, onEnd: () => void): Run {
  const stopped = new AbortController();
  const events: string[] = [];
  const followers = new Set<ServerResponse>();
  let isOver = false;
  const end = (): void => {
    if (isOver) return;
    isOver = true;
    for (const response of followers) response.end();
    onEnd();
  };
  const push = (event: string): void => {
    if (isOver) return;
    const text = `id: ${events.length + 1}\n${event}\n\n`;
    events.push(text);
    for (const response of followers) response.write(text);
  };
  return {
    id,
    signal: stopped.signal,
    get isOver() {
      return isOver;
    },
    push,
    end,
    fail(message) {
      push(`data: ${JSON.stringify({ type: 'error', errorText: message })}`);
      push('data: [DONE]');
      end();
      stopped.abort();
    },
    stop() {
      stopped.abort();
      end();
    },
    follow(response, after) {
      response.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        'x-vercel-ai-ui-message-stream': 'v1',
        'x-run-id': id,
      });
      response.flushHeaders();
      const missed = events.slice(after).join('');
      if (missed !== '') response.write(missed);
      if (isOver) return void response.end();
      followers.add(response);
      response.once('close', () => followers.delete(response));
    },
  };
}
