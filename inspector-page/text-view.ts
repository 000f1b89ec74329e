import { readText } from './api.ts';
import { h } from './dom.ts';
import { ModelText } from './model-text.ts';

/** Characters that are kept of a text. Earlier ones are removed. */
const MAX_CHARS = 200_000;
/** Pixels from the end within which the view follows the text. */
const NEAR_END = 40;

/** A text that grows at its end, in bounded memory. */
class Growing {
  readonly element = h('pre', { tabindex: 0, class: 'text' });
  readonly #text = document.createTextNode('');
  isEmpty = true;

  constructor(label: string) {
    this.element.setAttribute('aria-label', label);
    this.element.setAttribute('role', 'region');
    this.element.append(this.#text);
  }

  append(text: string): void {
    if (text === '') return;
    const { scrollTop, scrollHeight, clientHeight } = this.element;
    const isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR_END;
    this.isEmpty = false;
    this.#text.appendData(text);
    if (this.#text.length > MAX_CHARS) this.#text.deleteData(0, this.#text.length - MAX_CHARS);
    if (isAtEnd) this.element.scrollTop = this.element.scrollHeight;
  }
}

/** The text of an answer as it arrives: what the model wrote, and the bytes as the upstream sent them. */
export class TextView {
  readonly element: HTMLElement;
  readonly #text = new Growing('Text of the answer');
  readonly #raw = new Growing('The answer as the upstream sent it');
  readonly #model = new ModelText();
  readonly #toggle = h('button', { type: 'button', class: 'quiet', 'aria-pressed': 'false' }, 'Raw');
  #isRaw = false;

  /** @param signal stops reading. */
  constructor(id: string, signal: AbortSignal) {
    this.#toggle.addEventListener('click', () => {
      this.#isRaw = !this.#isRaw;
      this.#show();
    });
    this.element = h(
      'section',
      { 'aria-labelledby': 'answer-text' },
      h('div', { class: 'title' }, h('h3', { id: 'answer-text' }, 'Text'), this.#toggle),
      this.#text.element,
      this.#raw.element,
    );
    this.#show();
    void readText(id, signal, (piece) => {
      this.#raw.append(piece);
      this.#text.append(this.#model.push(piece));
      this.#show();
    });
  }

  #show(): void {
    // The format of the answer may be an unknown one, or none.
    const showsRaw = this.#isRaw || this.#text.isEmpty;
    this.#toggle.hidden = this.#text.isEmpty;
    this.#toggle.setAttribute('aria-pressed', String(this.#isRaw));
    this.#raw.element.hidden = !showsRaw;
    this.#text.element.hidden = showsRaw;
  }
}
