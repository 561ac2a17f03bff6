/** The rows of a set, or those that a filter or a search leaves, one below the other. */

import { element } from '../shared/dom';
import { sentences } from './connection';
import { many, percent } from './figures';
import { flagMark } from './flags';
import type { Inspector } from './panel';
import type { Job, ListRow, State } from './protocol';
import { readable, shortened } from './signs';
import { windowed } from './windowed';

/** Pixels of a row. */
const ROW = 44;
/** Rows asked for at a time begin and end at multiples of this. */
const CHUNK = 50;
/** Rows kept of those that were seen. */
const KEPT = 5000;
/** Characters of a row's text that can fit on a line. */
const LONGEST = 240;

/** What a list shows. */
export interface View {
  filter: string | null;
  search: boolean;
}

export interface Rows {
  element: HTMLElement;
  /** Show the rows of a view from the first on. */
  show(view: View): void;
  showState(state: State): void;
  /** A pass or a search has gone on: ask again for what was not known. */
  refresh(jobs: { scan: Job; search: Job }): void;
  /** Mark the row of a place, and scroll to it where it is known where it is. */
  select(place: number): void;
  /** Open the row that is `by` rows further. */
  step(by: number): void;
  destroy(): void;
}

/** `opened` is called with the place of a row that was chosen. */
export function rows(ask: Inspector['ask'], opened: (place: number) => void): Rows {
  const name = `ft-rows-${Math.random().toString(36).slice(2)}`;
  let state: State | null = null;
  let view: View = { filter: null, search: false };
  let known = new Map<number, ListRow>();
  let total = 0;
  let complete = true;
  /** Whether a pass or a search goes on that may find more rows. */
  let counting = true;
  /** Index in this view of the chosen row, -1 where it is not among those known. */
  let active = -1;
  let place = -1;
  let waiting = false;
  /** Which view a reply is for. */
  let round = 0;
  /** Whether to ask again for what can be seen when the reply is there. */
  let again = false;

  const empty = element('p', { class: 'ft-rows-empty', role: 'status', hidden: true });
  const window = windowed({ height: ROW, make: index => make(index), drawn: () => fetch() });
  const { box } = window;
  box.classList.add('ft-rows');
  box.setAttribute('role', 'listbox');
  box.setAttribute('aria-label', 'rows');
  box.tabIndex = 0;

  /** Whether the view is of all rows, so that an index is a place. */
  const plain = (): boolean => view.filter === null && !view.search;
  const make = (index: number): HTMLElement => {
    const row = known.get(index);
    const option = element('div', {
      role: 'option',
      class: 'ft-row',
      id: `${name}-${index}`,
      'aria-posinset': index + 1,
      'aria-setsize': complete ? total : -1,
      'aria-selected': String(index === active),
    });
    if (!row) {
      option.append(element('div', { class: 'ft-row-text ft-row-missing' }, '…'));
      return option;
    }
    option.append(
      element(
        'div',
        { class: row.error ? 'ft-row-text ft-row-error' : 'ft-row-text' },
        shortened(oneLine(row.error || row.text), LONGEST),
      ),
      element('div', { class: 'ft-row-facts' }, ...facts(row)),
    );
    return option;
  };
  const facts = (row: ListRow): HTMLElement[] => {
    const made = [element('span', { class: 'ft-row-number' }, rowName(row, state))];
    if (row.length !== null) {
      made.push(element('span', { class: 'ft-row-length' }, many(row.length, 'token')));
    }
    if (row.length && row.trained !== null) {
      made.push(share(row.trained, row.length));
    }
    made.push(...row.flags.map(flag => flagMark(flag, state?.flags ?? [])));
    return made;
  };

  /** The first and last rows that can be seen and those around them, in whole chunks. */
  const around = (): { start: number; stop: number } => {
    const { first, count } = window.seen();
    return {
      start: Math.max(0, Math.floor((first - 5) / CHUNK) * CHUNK),
      stop: Math.min(total || CHUNK, Math.ceil((first + count + 6) / CHUNK) * CHUNK),
    };
  };
  /** Ask for what can be seen where it is not known, or all of it; one request at a time. */
  const fetch = (all = false): void => {
    again ||= all && waiting;
    if (waiting || !state || (plain() && total === 0)) {
      return;
    }
    const { start, stop } = around();
    let from = start;
    while (!all && from < stop && known.has(from)) {
      from += 1;
    }
    if (from >= stop) {
      return;
    }
    waiting = true;
    again = false;
    const mine = round;
    ask('list', { ...view, start: from, stop }).then(
      ({ message }) => {
        if (mine === round) {
          waiting = false;
          take(message.rows, message.start, message.total, message.complete);
        }
      },
      (refusal: unknown) => {
        if (mine === round) {
          waiting = false;
          explain(known.size === 0 ? sentences(refusal) : '');
        }
      },
    );
  };
  const take = (list: ListRow[], start: number, count: number, whole: boolean): void => {
    const { first } = window.seen();
    if (known.size > KEPT) {
      known = new Map([...known].filter(([index]) => Math.abs(index - first) < KEPT / 4));
    }
    const grown = count !== total;
    total = count;
    complete = whole;
    list.forEach((row, i) => {
      const index = start + i;
      const before = known.get(index);
      known.set(index, row);
      if (row.place === place && active !== index) {
        mark(index);
      }
      if (JSON.stringify(before) !== JSON.stringify(row)) {
        window.redraw(index);
      }
    });
    explain(
      total > 0 ? '' : complete ? 'No rows.' : counting ? 'None so far.' : 'Count all rows to find these.',
    );
    if (grown) {
      window.resize(total);
    } else if (again || list.length > 0) {
      fetch(again);
    }
    if (place === -1 && active >= 0) {
      open();
    }
  };
  const explain = (words: string): void => {
    empty.textContent = words;
    empty.hidden = words === '';
  };
  const mark = (index: number): void => {
    window.at(active)?.setAttribute('aria-selected', 'false');
    active = index;
    window.at(active)?.setAttribute('aria-selected', 'true');
    if (active >= 0) {
      box.setAttribute('aria-activedescendant', `${name}-${active}`);
    } else {
      box.removeAttribute('aria-activedescendant');
    }
  };
  /** Open the marked row, now or when it is known which it is. */
  const open = (): void => {
    place = known.get(active)?.place ?? (plain() ? active : -1);
    if (place >= 0) {
      opened(place);
    }
  };
  const go = (index: number): void => {
    if (total > 0) {
      mark(Math.max(0, Math.min(total - 1, index)));
      window.reveal(active);
      mark(active);
      open();
    }
  };
  const target = (key: string): number | null => {
    const page = Math.max(1, window.seen().count - 1);
    switch (key) {
      case 'ArrowDown':
        return active + 1;
      case 'ArrowUp':
        return active - 1;
      case 'PageDown':
        return active + page;
      case 'PageUp':
        return active - page;
      case 'Home':
        return 0;
      case 'End':
        return total - 1;
      default:
        return null;
    }
  };
  box.addEventListener('keydown', event => {
    const to = event.altKey || event.ctrlKey || event.metaKey ? null : target(event.key);
    if (to !== null) {
      event.preventDefault();
      event.stopPropagation();
      go(to);
    }
  });
  box.addEventListener('click', event => {
    const row = (event.target as Element).closest<HTMLElement>('.ft-row');
    if (row) {
      go(Number(row.dataset.row));
    }
  });

  const restart = (): void => {
    round += 1;
    waiting = false;
    known = new Map();
    explain('');
    total = plain() ? (state?.rows ?? 0) : 0;
    complete = plain();
    active = plain() ? place : -1;
    window.reset(total);
    mark(active);
    fetch();
  };
  return {
    element: element('div', { class: 'ft-rows-whole' }, box, empty),
    show: to => {
      view = to;
      restart();
      window.reveal(Math.max(0, active), true);
    },
    showState: to => {
      const renewed = state?.generation !== to.generation || state.rows !== to.rows;
      state = to;
      if (renewed) {
        restart();
      } else {
        fetch();
      }
    },
    refresh: ({ scan, search }) => {
      counting = scan.state === 'running' || search.state === 'running';
      const { start, stop } = around();
      let unknown = !complete;
      for (let index = start; index < stop; index += 1) {
        const row = known.get(index);
        unknown ||= row !== undefined && row.length === null && !row.error && scan.done > row.place;
      }
      if (unknown && (search.state !== 'idle' || scan.done > 0)) {
        fetch(true);
      }
    },
    select: to => {
      place = to;
      const found = plain() ? to : [...known].find(([, row]) => row.place === to)?.[0];
      mark(found ?? -1);
      if (found !== undefined) {
        window.reveal(found);
        mark(found);
      }
    },
    step: by => go(active < 0 ? 0 : active + by),
    destroy: window.destroy,
  };
}

function oneLine(text: string): string {
  return readable(text)
    .replace(/\s*\n\s*/g, ' ⏎ ')
    .replaceAll('\t', ' ');
}

/** `12`, with the dataset before it where there are several. */
export function rowName(
  { dataset, number }: { dataset: number; number: number },
  state: State | null,
): string {
  const row = number.toLocaleString('en');
  return state && state.datasets.length > 1 ? `${dataset + 1}:${row}` : row;
}

/** The trained share as a bar and a number. */
function share(trained: number, length: number): HTMLElement {
  const words = percent(trained, length);
  const fill = element('span', { class: 'ft-share-fill' });
  fill.style.width = `${(100 * trained) / length}%`;
  return element(
    'span',
    { class: 'ft-share', title: `${words} of its tokens are trained` },
    element('span', { class: 'ft-share-bar' }, fill),
    element('span', {}, words, element('span', { class: 'ft-unseen' }, ' trained')),
  );
}
