import { h, setAttribute, setText } from './dom.ts';

/** Creates the mark of a state: a dot with its color, and its name. */
export function chip(): HTMLElement {
  return h('span', { class: 'chip' }, h('span', { class: 'dot', 'aria-hidden': 'true' }), h('span'));
}

export function setChip(element: HTMLElement, state: string): void {
  setAttribute(element, 'data-state', state);
  setText(element.lastElementChild!, state);
}
