import { answersOf, matches, sortAnswers, type Sorting } from './answers.ts';
import { Details } from './details.ts';
import { h, perFrame, setAttribute, setText } from './dom.ts';
import { Feed, type FeedState } from './feed.ts';
import { Filters } from './filters.ts';
import { plural } from './format.ts';
import { Overview } from './overview.ts';
import { AnswerTable } from './table.ts';

/** Milliseconds for which a message is shown. */
const MESSAGE_MS = 6_000;

const STATES: Readonly<Record<FeedState, string>> = {
  connecting: 'Connecting …',
  live: 'Live',
  lost: 'No access, or the server is down. Trying again …',
};

/** Assembles the page. */
function start(): void {
  const status = h(
    'p',
    { class: 'status', role: 'status' },
    h('span', { class: 'dot', 'aria-hidden': 'true' }),
    h('span'),
  );
  const message = h('p', { class: 'message', role: 'status', hidden: true });
  const redraw = perFrame(draw);
  const filters = new Filters(redraw);
  const overview = new Overview((outcome) => filters.selectState(outcome));
  const table = new AnswerTable({
    onOpen: (id) => (location.hash = id),
    onSort(next) {
      sorting = next;
      redraw();
    },
  });
  const content = h(
    'main',
    {},
    overview.element,
    h(
      'section',
      { class: 'card answers', 'aria-labelledby': 'answers' },
      h('div', { class: 'title' }, h('h2', { id: 'answers' }, 'Answers'), filters.element),
      table.element,
    ),
  );
  const layout = h('div', { class: 'layout' }, content);
  const narrow = matchMedia('(max-width: 1000px)');
  let sorting: Sorting = { key: 'startedAt', isDescending: true };
  let details: Details | undefined;
  let hideMessage: ReturnType<typeof setTimeout> | undefined;

  function draw(): void {
    setAttribute(status, 'data-state', feed.state);
    setText(status.lastElementChild!, STATES[feed.state]);
    if (feed.states.size === 0) return;
    overview.draw(feed);
    const all = answersOf(feed);
    const shown = sortAnswers(
      [...all.values()].filter((answer) => matches(answer, filters.filter)),
      sorting,
    );
    filters.showCount(shown.length, all.size);
    const empty = filters.isActive
      ? 'No answer matches the filter'
      : 'No answer yet. New ones appear here at once';
    table.show(shown, sorting, details?.id, empty);
    details?.show(all.get(details.id), feed.now);
    const running = [...feed.states.values()].reduce((sum, { summary }) => sum + (summary?.running ?? 0), 0);
    document.title = `${plural(running, 'running answer')} · Streams`;
  }

  function say(text: string): void {
    clearTimeout(hideMessage);
    message.hidden = false;
    setText(message, text);
    hideMessage = setTimeout(() => (message.hidden = true), MESSAGE_MS);
  }

  /** The address names the answer whose panel is open. */
  function route(): void {
    const id = /^#([0-9a-f-]{36})$/.exec(location.hash)?.[1];
    if (id === details?.id) return;
    const closed = details;
    details = undefined;
    closed?.close();
    if (id !== undefined) {
      details = new Details(id, { onClose: close, onMessage: say });
      layout.append(details.element);
    }
    layout.classList.toggle('has-details', details !== undefined);
    setInert();
    draw();
    if (details) details.focus();
    else if (closed) table.focus(closed.id);
  }

  /** On a narrow page, the panel covers the rest. */
  function setInert(): void {
    content.inert = details !== undefined && narrow.matches;
  }

  function close(): void {
    location.hash = '';
  }

  document.body.replaceChildren(
    h(
      'header',
      { class: 'top' },
      h('h1', {}, 'Streams'),
      h('span', { class: 'note' }, 'durable-proxy'),
      status,
    ),
    layout,
    message,
  );
  narrow.addEventListener('change', setInert);
  const feed = new Feed(redraw, () => overview.sample(feed));
  addEventListener('hashchange', route);
  addEventListener('keydown', ({ key }) => {
    if (key === 'Escape' && details && !document.querySelector('dialog[open]')) close();
  });
  route();
}

start();
