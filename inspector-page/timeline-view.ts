import type { Timeline, TimelineEvent } from '../server/inspector/wire/types.ts';
import { h, svg } from './dom.ts';
import { bytes, plural, seconds, timeOfDay } from './format.ts';

const WIDTH = 400;
const HEIGHT = 64;

const NAMES: Readonly<Record<TimelineEvent['type'], string>> = {
  created: 'Created',
  'first-byte': 'First byte',
  'reader-joined': 'Reader joined',
  'reader-left': 'Reader left',
  read: 'Read',
  replayed: 'Repeated create',
  recovered: 'Recovered',
  stopped: 'Stopped',
  ended: 'Ended',
};

/** The life of one answer: the bytes over time with marks for the events, and the events as a list. */
export class TimelineView {
  readonly element: HTMLElement;
  readonly #chart = svg('svg', {
    class: 'life',
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: 'none',
    role: 'img',
  });
  readonly #from = h('span');
  readonly #to = h('span');
  readonly #list = h('ol', { class: 'events' });
  #drawn = '';

  constructor() {
    this.element = h(
      'section',
      { 'aria-labelledby': 'answer-timeline' },
      h('h3', { id: 'answer-timeline' }, 'Timeline'),
      this.#chart,
      h('div', { class: 'axis', 'aria-hidden': 'true' }, this.#from, this.#to),
      this.#list,
    );
  }

  /** @param until Unix time in milliseconds of the end, or now. */
  draw(timelines: readonly Timeline[], startedAt: number, until: number): void {
    const events = timelines.flatMap((timeline) => timeline.events).sort((a, b) => a.at - b.at);
    const omitted = timelines.reduce((sum, timeline) => sum + timeline.omitted, 0);
    this.#drawChart(timelines, events, startedAt, Math.max(until, startedAt + 1_000));
    const key = `${startedAt} ${omitted} ${JSON.stringify(events)}`;
    if (key === this.#drawn) return;
    this.#drawn = key;
    const items = events.map((event) => itemOf(event, startedAt));
    if (omitted > 0)
      items.splice(1, 0, h('li', { class: 'note' }, `${plural(omitted, 'earlier event')} not kept`));
    this.#list.replaceChildren(...items);
  }

  #drawChart(
    timelines: readonly Timeline[],
    events: readonly TimelineEvent[],
    startedAt: number,
    until: number,
  ): void {
    const x = (at: number) => (((at - startedAt) / (until - startedAt)) * WIDTH).toFixed(1);
    const series = timelines.flatMap((timeline) => timeline.bytes ?? []);
    const most = series
      .flatMap(({ totals }) => totals.slice(-1))
      .reduce((max, each) => Math.max(max, each), 1);
    const y = (total: number) => (HEIGHT - 2 - (total / most) * (HEIGHT - 8)).toFixed(1);
    const areas = series.map(({ startedAt: from, stepMs, totals }) => {
      const points = totals.map(
        (total, index) => `${x(Math.min(until, from + (index + 1) * stepMs))},${y(total)}`,
      );
      return svg('path', {
        class: 'area',
        d: `M${x(from)},${y(0)}L${points.join('L')}V${HEIGHT}H${x(from)}Z`,
      });
    });
    const marks = events.map(({ type, at }) =>
      svg('line', { class: 'mark', 'data-type': type, x1: x(at), x2: x(at), y1: 0, y2: HEIGHT }),
    );
    this.#chart.setAttribute(
      'aria-label',
      `${bytes(most === 1 ? 0 : most)} in ${seconds(until - startedAt)}, ${plural(events.length, 'event')}`,
    );
    this.#chart.replaceChildren(...areas, ...marks);
    this.#from.textContent = timeOfDay(startedAt);
    this.#to.textContent = `+${seconds(until - startedAt)}`;
  }
}

function itemOf({ type, at, detail }: TimelineEvent, startedAt: number): HTMLElement {
  return h(
    'li',
    { 'data-type': type },
    h('span', { class: 'dot', 'aria-hidden': 'true' }),
    h(
      'span',
      {},
      NAMES[type] ?? type,
      detail === undefined ? '' : h('span', { class: 'note' }, ` ${detail}`),
    ),
    h('time', { class: 'note', title: timeOfDay(at) }, `+${seconds(at - startedAt)}`),
  );
}
