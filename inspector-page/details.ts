import type { AnswerDetails } from '../server/inspector/wire/types.ts';
import type { Answer } from './answers.ts';
import { stateOf } from './answers.ts';
import { act, fetchDetails } from './api.ts';
import { chip, setChip } from './chip.ts';
import { confirmed } from './confirm.ts';
import { h, setText } from './dom.ts';
import { bytes, count, milliseconds, NONE, seconds, timeOfDay, tokens } from './format.ts';
import { TextView } from './text-view.ts';
import { TimelineView } from './timeline-view.ts';

/** Milliseconds between two requests for the timeline: of a running answer, and of one that has ended. */
const POLL_MS = { running: 1_000, ended: 5_000 };

/** Characters of a value that needs a line of its own. */
const LONG_VALUE = 24;

export interface DetailsEvents {
  readonly onClose: () => void;
  /** Called with a message for the operator. */
  readonly onMessage: (text: string) => void;
}

/** The panel of one answer. */
export class Details {
  readonly element: HTMLElement;
  readonly id: string;
  readonly #events: DetailsEvents;
  readonly #abort = new AbortController();
  readonly #chip = chip();
  readonly #title = h('h2', { id: 'answer', tabindex: -1 });
  readonly #facts = h('dl', { class: 'facts' });
  readonly #values = new Map<string, HTMLElement>();
  readonly #timeline = new TimelineView();
  readonly #headers = h('dl', { class: 'headers' });
  readonly #headersNote = h('p', { class: 'note' });
  readonly #stop = h('button', { type: 'button' }, 'Stop');
  readonly #link = h('button', { type: 'button' }, 'Copy read-only link');
  readonly #delete = h('button', { type: 'button', class: 'danger' }, 'Delete');
  #answer: Answer | undefined;
  #details: AnswerDetails | undefined;
  #now = Date.now();

  constructor(id: string, events: DetailsEvents) {
    this.id = id;
    this.#events = events;
    const close = h(
      'button',
      { type: 'button', class: 'quiet close', 'aria-label': 'Close', onclick: events.onClose },
      '✕',
    );
    this.#stop.addEventListener('click', () => void this.#stopAnswer());
    this.#delete.addEventListener('click', () => void this.#deleteAnswer());
    this.#link.addEventListener('click', () => void this.#copyLink());
    this.element = h(
      'aside',
      { class: 'details', 'aria-labelledby': 'answer' },
      h(
        'header',
        {},
        h('div', { class: 'title' }, this.#title, this.#chip, close),
        h('code', { class: 'id' }, id),
      ),
      h('div', { class: 'buttons' }, this.#stop, this.#link, this.#delete),
      this.#facts,
      this.#timeline.element,
      new TextView(id, this.#abort.signal).element,
      h(
        'section',
        { 'aria-labelledby': 'answer-headers' },
        h('h3', { id: 'answer-headers' }, 'Headers of the upstream'),
        this.#headersNote,
        this.#headers,
      ),
    );
    void this.#poll();
  }

  focus(): void {
    this.#title.focus();
  }

  /** Stops all requests. */
  close(): void {
    this.#abort.abort();
    this.element.remove();
  }

  /** @param answer undefined if no process has it. */
  show(answer: Answer | undefined, now: number): void {
    this.#answer = answer ?? this.#answer;
    this.#now = now;
    this.#draw();
  }

  #draw(): void {
    const answer = this.#answer;
    setText(this.#title, answer?.subject ?? 'Answer');
    this.#stop.hidden = !answer || answer.outcome !== undefined;
    if (!answer) return;
    setChip(this.#chip, stateOf(answer));
    const { usage } = answer;
    const details = this.#details;
    const facts: Record<string, string | undefined> = {
      Upstream: answer.upstream ?? NONE,
      Model: usage?.model,
      Started: timeOfDay(answer.startedAt),
      [answer.outcome ? 'Took' : 'Running for']: seconds(answer.ageMs),
      'First token': milliseconds(answer.firstTokenMs),
      Bytes: bytes(answer.bytes),
      Readers: count(answer.readers),
      Recoveries: count(answer.recoveries),
      'Tokens in → out': tokens(usage),
      'Finish reason': usage?.finishReason,
      'Stream key': answer.streamKey,
      'Idempotency key': answer.idempotencyKey,
      'Content type': details?.contentType,
      'Run by': answer.process.slice(0, 8) + (answer.isAdopted ? ' (adopted)' : ''),
    };
    for (const [name, value] of Object.entries(facts)) this.#setFact(name, value);
    this.#setFact(answer.outcome ? 'Running for' : 'Took', undefined);
    if (details)
      this.#timeline.draw(Object.values(details.timelines), answer.startedAt, answer.endedAt ?? this.#now);
  }

  #setFact(name: string, value: string | undefined): void {
    const known = this.#values.get(name);
    if (known) known.parentElement!.hidden = value === undefined;
    if (value === undefined) return;
    if (known) return setText(known, value);
    const element = h('dd', {}, value);
    const isLong = value.length > LONG_VALUE;
    this.#values.set(name, element);
    this.#facts.append(h('div', { class: isLong && 'wide' }, h('dt', {}, name), element));
  }

  async #poll(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      try {
        this.#details = await fetchDetails(this.id, signal);
        this.#drawHeaders(this.#details);
        this.#draw();
      } catch (error) {
        if (!signal.aborted) setText(this.#headersNote, (error as Error).message);
      }
      const pause = this.#answer?.outcome === undefined ? POLL_MS.running : POLL_MS.ended;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  #drawHeaders({ exists, head }: AnswerDetails): void {
    const gone = 'The answer was deleted or has expired.';
    setText(
      this.#headersNote,
      exists ? (head ? `Status ${head.status}. Credentials are not shown.` : 'None yet') : gone,
    );
    this.#link.hidden = this.#delete.hidden = !exists;
    const key = JSON.stringify(head?.headers);
    if (this.#headers.dataset['key'] === key) return;
    this.#headers.dataset['key'] = key;
    this.#headers.replaceChildren(
      ...(head?.headers ?? []).map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))),
    );
  }

  async #stopAnswer(): Promise<void> {
    const text =
      'The request to the provider is canceled. What has arrived is kept, and its readers see the end.';
    if (await confirmed({ title: 'Stop this answer?', text, action: 'Stop' }))
      await this.#try(async () => {
        await act(this.id, 'stop');
        this.#events.onMessage('The answer was stopped');
      });
  }

  async #deleteAnswer(): Promise<void> {
    const text = 'Its bytes are removed from the store, for all readers. This cannot be undone.';
    if (await confirmed({ title: 'Delete this answer?', text, action: 'Delete' }))
      await this.#try(async () => {
        await act(this.id, 'delete');
        this.#events.onMessage('The answer was deleted');
        this.#events.onClose();
      });
  }

  async #copyLink(): Promise<void> {
    await this.#try(async () => {
      const { url = '' } = await act(this.id, 'link');
      await navigator.clipboard.writeText(new URL(url, location.href).href);
      this.#events.onMessage('The link was copied. Who has it can read the answer until it expires');
    });
  }

  async #try(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.#events.onMessage((error as Error).message);
    }
  }
}
