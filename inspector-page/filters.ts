import { OUTCOMES } from '../protocol/outcomes.ts';
import type { Filter } from './answers.ts';
import { h, setText } from './dom.ts';
import { count } from './format.ts';

const EMPTY: Readonly<Filter> = { subject: '', key: '', state: '', upstream: '' };

/** The filters above the table. */
export class Filters {
  readonly element: HTMLElement;
  readonly filter: Filter = { ...EMPTY };
  readonly #onChange: () => void;
  readonly #state = h('select', { 'aria-label': 'State or outcome' });
  readonly #inputs: readonly (readonly [keyof Filter, HTMLInputElement])[];
  readonly #count = h('output', { class: 'note', 'aria-label': 'Number of answers' });
  readonly #clear = h('button', { type: 'button', class: 'quiet', hidden: true }, 'Clear');

  constructor(onChange: () => void) {
    this.#onChange = onChange;
    this.#state.append(
      h('option', { value: '' }, 'All states'),
      h('option', { value: 'running' }, 'running'),
      ...OUTCOMES.map((outcome) => h('option', { value: outcome }, outcome)),
    );
    this.#state.addEventListener('change', () => this.#set('state', this.#state.value));
    this.#inputs = (
      [
        ['subject', 'Subject'],
        ['key', 'Key or id'],
        ['upstream', 'Upstream'],
      ] as const
    ).map(([name, label]) => {
      const input = h('input', {
        type: 'search',
        placeholder: label,
        'aria-label': label,
        spellcheck: 'false',
        autocomplete: 'off',
      });
      input.addEventListener('input', () => this.#set(name, input.value.trim()));
      return [name, input] as const;
    });
    this.#clear.addEventListener('click', () => this.#reset());
    this.element = h(
      'div',
      { class: 'filters', role: 'search', 'aria-label': 'Filter answers' },
      this.#state,
      ...this.#inputs.map(([, input]) => input),
      this.#clear,
      this.#count,
    );
  }

  /** Shows the answers of one state only. */
  selectState(state: string): void {
    this.#state.value = state;
    this.#set('state', state);
  }

  /** @param shown number of answers that match. */
  showCount(shown: number, all: number): void {
    setText(
      this.#count,
      shown === all ? `${count(all)} answers` : `${count(shown)} of ${count(all)} answers`,
    );
  }

  get isActive(): boolean {
    return Object.values(this.filter).some((value) => value !== '');
  }

  #set(name: keyof Filter, value: string): void {
    this.filter[name] = value;
    this.#clear.hidden = !this.isActive;
    this.#onChange();
  }

  #reset(): void {
    Object.assign(this.filter, EMPTY);
    this.#state.value = '';
    for (const [, input] of this.#inputs) input.value = '';
    this.#clear.hidden = true;
    this.#state.focus();
    this.#onChange();
  }
}
