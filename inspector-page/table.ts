import type { Answer, SortKey, Sorting } from './answers.ts';
import { stateOf } from './answers.ts';
import { chip, setChip } from './chip.ts';
import { h, perFrame, setAttribute, setText } from './dom.ts';
import { bytes, count, NONE, seconds, timeOfDay, tokens, upstream } from './format.ts';

interface Column {
  readonly key: SortKey;
  readonly title: string;
  readonly isNumber?: true;
}

const COLUMNS: readonly Column[] = [
  { key: 'state', title: 'State' },
  { key: 'startedAt', title: 'Started' },
  { key: 'subject', title: 'Subject' },
  { key: 'upstream', title: 'Upstream' },
  { key: 'bytes', title: 'Bytes', isNumber: true },
  { key: 'ageMs', title: 'Age', isNumber: true },
  { key: 'readers', title: 'Readers', isNumber: true },
  { key: 'recoveries', title: 'Recov.', isNumber: true },
  { key: 'usage', title: 'Tokens in → out', isNumber: true },
];

/** Rows that are drawn above and below those that can be seen. */
const SPARE_ROWS = 4;

interface DrawnRow {
  readonly element: HTMLElement;
  readonly cells: readonly HTMLElement[];
  readonly chip: HTMLElement;
  id: string;
}

export interface TableEvents {
  /** Called when the user has chosen an answer. */
  readonly onOpen: (id: string) => void;
  readonly onSort: (sorting: Sorting) => void;
}

/**
 * The answers as an ARIA grid. Draws only the rows that can be seen, so that a thousand answers that change every half
 * second cost what twenty cost.
 */
export class AnswerTable {
  readonly element: HTMLElement;
  readonly #events: TableEvents;
  readonly #body = h('div', { class: 'rows', role: 'rowgroup' });
  readonly #scroller: HTMLElement;
  readonly #empty = h('p', { class: 'empty', role: 'status' });
  readonly #headers = new Map<SortKey, HTMLElement>();
  readonly #drawn: DrawnRow[] = [];
  readonly #redraw = perFrame(() => this.#draw());
  #answers: readonly Answer[] = [];
  #sorting: Sorting = { key: 'state', isDescending: true };
  /** The row with the keyboard focus. */
  #currentId: string | undefined;
  #openId: string | undefined;

  constructor(events: TableEvents) {
    this.#events = events;
    const head = h(
      'div',
      { class: 'row head', role: 'row', 'aria-rowindex': 1 },
      ...COLUMNS.map((column) => this.#header(column)),
    );
    this.#scroller = h(
      'div',
      {
        class: 'scroller',
        role: 'grid',
        'aria-label': 'Answers',
        'aria-colcount': COLUMNS.length,
        tabindex: -1,
      },
      h('div', { class: 'header', role: 'rowgroup' }, head),
      this.#body,
    );
    this.#scroller.addEventListener('scroll', this.#redraw, { passive: true });
    this.#scroller.addEventListener('keydown', (event) => this.#onKey(event));
    new ResizeObserver(this.#redraw).observe(this.#scroller);
    this.element = h('div', { class: 'table' }, this.#scroller, this.#empty);
  }

  /** @param openId the answer whose details are shown. */
  show(answers: readonly Answer[], sorting: Sorting, openId: string | undefined, emptyText: string): void {
    this.#answers = answers;
    this.#sorting = sorting;
    this.#openId = openId;
    setText(this.#empty, answers.length === 0 ? emptyText : '');
    setAttribute(this.#scroller, 'aria-rowcount', String(answers.length + 1));
    this.#redraw();
  }

  /** Moves the keyboard focus to a row. */
  focus(id: string): void {
    const index = this.#answers.findIndex((answer) => answer.id === id);
    if (index >= 0) this.#moveTo(index);
  }

  #header({ key, title, isNumber }: Column): HTMLElement {
    const onSort = () => {
      const isSame = this.#sorting.key === key;
      // At first, numbers and times are in descending order, names in ascending order.
      const isDescending = isSame ? !this.#sorting.isDescending : isNumber === true || key === 'startedAt';
      this.#events.onSort({ key, isDescending });
    };
    const button = h('button', { type: 'button', onclick: onSort }, title);
    const cell = h('div', { class: `cell ${key}${isNumber ? ' number' : ''}`, role: 'columnheader' }, button);
    this.#headers.set(key, cell);
    return cell;
  }

  get #rowHeight(): number {
    return parseFloat(getComputedStyle(this.#scroller).getPropertyValue('--row-height')) || 34;
  }

  #draw(): void {
    const height = this.#rowHeight;
    const { scrollTop, clientHeight } = this.#scroller;
    const first = Math.max(0, Math.floor(scrollTop / height) - SPARE_ROWS);
    const last = Math.min(this.#answers.length, Math.ceil((scrollTop + clientHeight) / height) + SPARE_ROWS);
    this.#body.style.height = `${this.#answers.length * height}px`;
    for (const [key, cell] of this.#headers) {
      const direction = this.#sorting.isDescending ? 'descending' : 'ascending';
      setAttribute(cell, 'aria-sort', key === this.#sorting.key ? direction : undefined);
    }
    if (!this.#answers.some(({ id }) => id === this.#currentId)) this.#currentId = this.#answers[0]?.id;
    while (this.#drawn.length < last - first) this.#drawn.push(this.#createRow());
    const visible = this.#answers.slice(first, last);
    // The element of an answer stays the same while rows move, so that it keeps the focus.
    const byId = new Map(this.#drawn.map((row) => [row.id, row]));
    const wanted = new Set(visible.map(({ id }) => id));
    const free = this.#drawn.filter(({ id }) => !wanted.has(id));
    for (const [index, answer] of visible.entries()) {
      this.#drawRow(byId.get(answer.id) ?? free.pop()!, answer, first + index, height);
    }
    for (const row of free) {
      row.id = '';
      row.element.hidden = true;
    }
  }

  #createRow(): DrawnRow {
    const mark = chip();
    const cells = COLUMNS.map(({ key, isNumber }) =>
      h(
        'div',
        { class: `cell ${key}${isNumber ? ' number' : ''}`, role: 'gridcell' },
        key === 'state' ? mark : '',
      ),
    );
    const element = h('div', { class: 'row', role: 'row', tabindex: -1 }, ...cells);
    const row: DrawnRow = { element, cells, chip: mark, id: '' };
    element.addEventListener('click', () => this.#open(row.id));
    element.addEventListener('focus', () => (this.#currentId = row.id));
    this.#body.append(element);
    return row;
  }

  #drawRow(row: DrawnRow, answer: Answer, index: number, height: number): void {
    row.id = answer.id;
    const { element, cells } = row;
    element.hidden = false;
    element.style.transform = `translateY(${index * height}px)`;
    setAttribute(element, 'aria-rowindex', String(index + 2));
    setAttribute(element, 'tabindex', answer.id === this.#currentId ? '0' : '-1');
    setAttribute(element, 'aria-selected', String(answer.id === this.#openId));
    setChip(row.chip, stateOf(answer));
    const texts = [
      timeOfDay(answer.startedAt),
      answer.subject ?? NONE,
      upstream(answer.upstream),
      bytes(answer.bytes),
      seconds(answer.ageMs),
      count(answer.readers),
      answer.recoveries === 0 ? NONE : count(answer.recoveries),
      tokens(answer.usage),
    ];
    for (const [position, text] of texts.entries()) setText(cells[position + 1]!, text);
    setAttribute(cells[3]!, 'title', answer.upstream);
    setAttribute(cells[2]!, 'title', answer.subject);
  }

  #open(id: string): void {
    this.#currentId = id;
    this.#events.onOpen(id);
  }

  #onKey(event: KeyboardEvent): void {
    const row = event.target instanceof Element ? event.target.closest('.row:not(.head)') : null;
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const index = this.#answers.findIndex(({ id }) => id === this.#currentId);
    const page = Math.max(1, Math.floor(this.#scroller.clientHeight / this.#rowHeight) - 2);
    const moves: Readonly<Record<string, number>> = {
      ArrowDown: index + 1,
      ArrowUp: index - 1,
      PageDown: index + page,
      PageUp: index - page,
      Home: 0,
      End: this.#answers.length - 1,
    };
    const target = moves[event.key];
    if (target !== undefined) this.#moveTo(Math.max(0, Math.min(this.#answers.length - 1, target)));
    else if (event.key === 'Enter' || event.key === ' ') this.#open(this.#currentId ?? '');
    else return;
    event.preventDefault();
  }

  #moveTo(index: number): void {
    const answer = this.#answers[index];
    if (!answer) return;
    this.#currentId = answer.id;
    const height = this.#rowHeight;
    const { scrollTop, clientHeight } = this.#scroller;
    // The header covers the first visible row.
    if (index * height < scrollTop) this.#scroller.scrollTop = index * height;
    else if ((index + 2) * height > scrollTop + clientHeight)
      this.#scroller.scrollTop = (index + 2) * height - clientHeight;
    this.#draw();
    this.#drawn.find(({ id }) => id === answer.id)?.element.focus({ preventScroll: true });
  }
}
