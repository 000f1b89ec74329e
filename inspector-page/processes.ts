import type { Peer } from '../server/inspector/wire/types.ts';
import { h, setAttribute, setText } from './dom.ts';
import type { Feed } from './feed.ts';
import { bytes, count, seconds } from './format.ts';

const LEASES: Readonly<Record<Peer['state'], string>> = {
  live: 'lease held',
  silent: 'lease held, no report',
  expired: 'lease expired',
};

interface Item {
  readonly element: HTMLElement;
  readonly name: HTMLElement;
  readonly lease: HTMLElement;
  readonly note: HTMLElement;
}

/** The processes on the store, and the store. */
export class ProcessList {
  readonly element: HTMLElement;
  readonly #list = h('ul', { class: 'processes' });
  readonly #store = h('p', { class: 'note' });
  readonly #items = new Map<string, Item>();

  constructor() {
    this.element = h(
      'section',
      { class: 'card', 'aria-labelledby': 'processes' },
      h('h3', { id: 'processes' }, 'Store and processes'),
      this.#store,
      this.#list,
    );
  }

  draw(feed: Feed): void {
    const own = feed.states.get(feed.self)?.summary;
    const size = own?.store.bytes;
    setText(this.#store, own ? `${own.store.kind} store${size === undefined ? '' : `, ${bytes(size)}`}` : '');
    const known = [{ id: feed.self, state: 'live' as const }, ...feed.peers];
    for (const [id, { element }] of this.#items) {
      if (known.some((peer) => peer.id === id)) continue;
      element.remove();
      this.#items.delete(id);
    }
    for (const peer of known) this.#drawProcess(feed, peer);
  }

  #drawProcess(feed: Feed, { id, state }: Peer): void {
    const item = this.#items.get(id) ?? this.#add(id);
    const summary = feed.states.get(id)?.summary;
    const isDraining = state === 'live' && summary?.isDraining === true;
    setAttribute(item.element, 'data-lease', isDraining ? 'draining' : state);
    setText(item.name, summary ? `${summary.host}:${summary.pid}` : id.slice(0, 8));
    setText(
      item.lease,
      (id === feed.self ? 'this process, ' : '') + (isDraining ? 'draining' : LEASES[state]),
    );
    setText(
      item.note,
      summary && state !== 'expired'
        ? `${count(summary.running)} running · ${count(summary.readers)} readers · up ${seconds(feed.now - summary.startedAt)}`
        : '',
    );
  }

  #add(id: string): Item {
    const name = h('b');
    const lease = h('span', { class: 'lease' });
    const note = h('span', { class: 'note' });
    const dot = h('span', { class: 'dot', 'aria-hidden': 'true' });
    const element = h('li', { title: `Process ${id}` }, dot, name, lease, note);
    const item = { element, name, lease, note };
    this.#items.set(id, item);
    this.#list.append(element);
    return item;
  }
}
