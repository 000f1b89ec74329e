import { OUTCOMES, type Outcome } from '../protocol/outcomes.ts';
import { addBuckets, quantile } from '../server/inspector/wire/buckets.ts';
import type { HourCounts, ProcessSummary } from '../server/inspector/wire/types.ts';
import { h, setText } from './dom.ts';
import type { Feed } from './feed.ts';
import { bytes, count, milliseconds } from './format.ts';
import { OutcomeChart } from './outcome-chart.ts';
import { ProcessList } from './processes.ts';
import { Sparkline } from './sparkline.ts';

interface Tile {
  readonly element: HTMLElement;
  set(value: string, note: string): void;
}

/** Creates a figure with its name. @param extra is shown after the figure. */
function tile(name: string, extra?: Element): Tile {
  const value = h('dd', { class: 'value' }, '–');
  const note = h('dd', { class: 'note' });
  return {
    element: h('div', { class: 'tile' }, h('dt', {}, name), value, note, extra && h('dd', {}, extra)),
    set(text, about) {
      setText(value, text);
      setText(note, about);
    },
  };
}

/** "Now": figures of all processes together, outcomes of the last hour, refused requests, the store and the processes. */
export class Overview {
  readonly element: HTMLElement;
  readonly #sparkline = new Sparkline('Bytes per second in the last minutes');
  readonly #tiles = {
    running: tile('Running answers'),
    readers: tile('Readers'),
    throughput: tile('Throughput', this.#sparkline.element),
    firstToken: tile('First token, p50'),
    append: tile('Append, p50'),
  };
  readonly #chart: OutcomeChart;
  readonly #refused = h('ul', { class: 'bars' });
  readonly #refusedNote = h('p', { class: 'note' });
  readonly #processes = new ProcessList();

  /** @param onOutcome called when an outcome of the legend was chosen. */
  constructor(onOutcome: (outcome: Outcome) => void) {
    this.#chart = new OutcomeChart(onOutcome);
    this.element = h(
      'section',
      { class: 'overview', 'aria-labelledby': 'now' },
      h('h2', { id: 'now', class: 'hidden' }, 'Now'),
      h('dl', { class: 'tiles' }, ...Object.values(this.#tiles).map(({ element }) => element)),
      h(
        'div',
        { class: 'cards' },
        this.#chart.element,
        h(
          'section',
          { class: 'card refused', 'aria-labelledby': 'refused' },
          h('h3', { id: 'refused' }, 'Refused requests'),
          this.#refusedNote,
          this.#refused,
        ),
        this.#processes.element,
      ),
    );
  }

  /** Records the throughput of a message. */
  sample(feed: Feed): void {
    this.#sparkline.add(total(summariesOf(feed), ({ bytesPerSecond }) => bytesPerSecond));
  }

  draw(feed: Feed): void {
    const summaries = summariesOf(feed);
    const { running, readers, throughput, firstToken, append } = this.#tiles;
    const hour = hourOf(summaries);
    const ended = hour.minutes.reduce((sum, { closed }) => sum + sumOf(closed), 0);
    running.set(count(total(summaries, (each) => each.running)), `${count(ended)} ended in the last hour`);
    readers.set(count(total(summaries, (each) => each.readers)), 'reads in progress');
    throughput.set(`${bytes(total(summaries, (each) => each.bytesPerSecond))}/s`, '');
    firstToken.set(
      milliseconds(quantile(hour.firstToken, 0.5)),
      `p99 ${milliseconds(quantile(hour.firstToken, 0.99))}`,
    );
    append.set(milliseconds(quantile(hour.append, 0.5)), `p99 ${milliseconds(quantile(hour.append, 0.99))}`);
    this.#chart.draw(hour.minutes, feed.now);
    this.#drawRefused(hour.refused);
    this.#processes.draw(feed);
    this.#sparkline.draw();
  }

  #drawRefused(refused: HourCounts['refused']): void {
    const entries = Object.entries(refused).sort(([, a], [, b]) => b - a);
    const most = entries[0]?.[1] ?? 1;
    setText(this.#refusedNote, entries.length === 0 ? 'None in the last hour' : 'In the last hour, by code');
    this.#refused.hidden = entries.length === 0;
    const key = JSON.stringify(entries);
    if (this.#refused.dataset['key'] === key) return;
    this.#refused.dataset['key'] = key;
    this.#refused.replaceChildren(
      ...entries.map(([code, amount]) => {
        const bar = h('span', { class: 'bar', 'aria-hidden': 'true' });
        bar.style.setProperty('--share', String(amount / most));
        return h('li', {}, bar, h('code', {}, code), h('b', {}, count(amount)));
      }),
    );
  }
}

function summariesOf(feed: Feed): ProcessSummary[] {
  return [...feed.states.values()].flatMap(({ summary }) => summary ?? []);
}

function total(summaries: readonly ProcessSummary[], of: (summary: ProcessSummary) => number): number {
  return summaries.reduce((sum, summary) => sum + of(summary), 0);
}

function sumOf(counts: Readonly<Partial<Record<Outcome, number>>>): number {
  return OUTCOMES.reduce((sum, outcome) => sum + (counts[outcome] ?? 0), 0);
}

/** Adds the counts of all processes. */
function hourOf(summaries: readonly ProcessSummary[]): HourCounts {
  const firstToken: Record<number, number> = {};
  const append: Record<number, number> = {};
  const refused: Record<string, number> = {};
  for (const { hour } of summaries) {
    addBuckets(firstToken, hour.firstToken);
    addBuckets(append, hour.append);
    for (const [code, amount] of Object.entries(hour.refused)) refused[code] = (refused[code] ?? 0) + amount;
  }
  return { minutes: summaries.flatMap(({ hour }) => hour.minutes), refused, firstToken, append };
}
