import { OUTCOMES, type Outcome } from '../protocol/outcomes.ts';
import type { MinuteCounts } from '../server/inspector/wire/types.ts';
import { h, setAttribute, svg } from './dom.ts';
import { count, plural } from './format.ts';

const MINUTES = 60;
const HEIGHT = 100;

/** Outcomes of the last hour: a stacked bar for each minute, and a legend with the totals. */
export class OutcomeChart {
  readonly element: HTMLElement;
  readonly #chart = svg('svg', {
    viewBox: `0 0 ${MINUTES * 4} ${HEIGHT}`,
    preserveAspectRatio: 'none',
    role: 'img',
  });
  readonly #legend = h('ul', { class: 'legend' });
  readonly #onOutcome: (outcome: Outcome) => void;
  #drawn = '';

  /** @param onOutcome called when an outcome of the legend was chosen. */
  constructor(onOutcome: (outcome: Outcome) => void) {
    this.#onOutcome = onOutcome;
    this.element = h(
      'section',
      { class: 'card outcomes', 'aria-labelledby': 'outcomes' },
      h('h3', { id: 'outcomes' }, 'Outcomes of the last hour'),
      h('div', { class: 'chart' }, this.#chart),
      h(
        'div',
        { class: 'axis', 'aria-hidden': 'true' },
        h('span', {}, '60 min ago'),
        h('span', {}, '30'),
        h('span', {}, 'now'),
      ),
      this.#legend,
    );
  }

  draw(counts: readonly MinuteCounts[], now: number): void {
    const last = Math.floor(now / 60_000);
    const key = `${last}${JSON.stringify(counts)}`;
    if (key === this.#drawn) return;
    this.#drawn = key;
    const columns = new Map<number, Map<Outcome, number>>();
    const totals = new Map<Outcome, number>();
    for (const { minute, closed } of counts) {
      const position = MINUTES - 1 - (last - minute);
      if (position < 0 || position >= MINUTES) continue;
      const column = columns.get(position) ?? new Map<Outcome, number>();
      columns.set(position, column);
      for (const outcome of OUTCOMES) {
        const added = closed[outcome] ?? 0;
        if (added === 0) continue;
        column.set(outcome, (column.get(outcome) ?? 0) + added);
        totals.set(outcome, (totals.get(outcome) ?? 0) + added);
      }
    }
    this.#drawBars(columns, last);
    this.#drawLegend(totals);
  }

  #drawBars(columns: ReadonlyMap<number, ReadonlyMap<Outcome, number>>, last: number): void {
    const sums = Array.from(columns.values(), (column) =>
      [...column.values()].reduce((sum, each) => sum + each, 0),
    );
    const most = sums.reduce((max, sum) => Math.max(max, sum), 1);
    const bars: Node[] = [];
    for (const [position, column] of columns) {
      let top = HEIGHT;
      for (const outcome of OUTCOMES) {
        const amount = column.get(outcome);
        if (amount === undefined) continue;
        const height = (amount / most) * HEIGHT;
        top -= height;
        const title = `${plural(amount, outcome, outcome)}, ${last - (last - MINUTES + 1 + position)} min ago`;
        bars.push(
          svg(
            'rect',
            {
              x: position * 4 + 0.5,
              y: top.toFixed(2),
              width: 3,
              height: height.toFixed(2),
              'data-state': outcome,
            },
            svg('title', {}, title),
          ),
        );
      }
    }
    this.#chart.replaceChildren(...bars);
  }

  #drawLegend(totals: ReadonlyMap<Outcome, number>): void {
    const all = [...totals.values()].reduce((sum, each) => sum + each, 0);
    const shown = OUTCOMES.filter((outcome) => totals.has(outcome));
    const summary = shown.map((outcome) => plural(totals.get(outcome) ?? 0, outcome, outcome)).join(', ');
    setAttribute(this.#chart, 'aria-label', `Ended in the last hour: ${summary || 'none'}`);
    const focused =
      document.activeElement instanceof HTMLElement && this.#legend.contains(document.activeElement)
        ? document.activeElement.dataset['state']
        : undefined;
    this.#legend.replaceChildren(
      ...shown.map((outcome) =>
        h(
          'li',
          {},
          h(
            'button',
            {
              type: 'button',
              class: 'legend-item',
              'data-state': outcome,
              title: `Show answers that ended as ${outcome}`,
              onclick: () => this.#onOutcome(outcome),
            },
            h('span', { class: 'dot', 'aria-hidden': 'true' }),
            outcome,
            h('b', {}, count(totals.get(outcome) ?? 0)),
            h(
              'span',
              { class: 'share' },
              `${(((totals.get(outcome) ?? 0) / all) * 100).toFixed(all < 1_000 ? 0 : 1)} %`,
            ),
          ),
        ),
      ),
      ...(shown.length === 0 ? [h('li', { class: 'note' }, 'No answer has ended in the last hour')] : []),
    );
    if (focused !== undefined) this.#legend.querySelector<HTMLElement>(`[data-state="${focused}"]`)?.focus();
  }
}
