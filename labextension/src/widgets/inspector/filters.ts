/** Chips that show only the rows of a kind, each with how many there are. */

import { element, icon, setText } from '../shared/dom';
import { whole } from './figures';
import type { Flag, Progress, State } from './protocol';
import { DRAWINGS } from './severity';

/** Orders of the list that are not flags: no row is to blame. */
const ORDERS = [
  { name: 'longest', title: 'Longest', description: 'The samples with the most tokens, the longest first' },
  { name: 'random', title: 'Random', description: 'Rows in an order of chance: a fair look at the set' },
];

export interface Filters {
  element: HTMLElement;
  showState(state: State): void;
  showProgress(progress: Progress): void;
  /** Show which filter the list has. */
  mark(filter: string | null): void;
}

interface Chip {
  button: HTMLButtonElement;
  count: HTMLElement;
}

export function filters(choose: (filter: string | null) => void): Filters {
  const group = element('div', { class: 'ft-filters', role: 'group', 'aria-label': 'show rows' });
  let chips = new Map<string, Chip>();
  let drawn = '';
  let chosen: string | null = null;

  const chip = (name: string, title: string, description: string, severity: Flag['severity'] | ''): Chip => {
    const count = element('span', { class: 'ft-filter-count' });
    const button = element(
      'button',
      { type: 'button', class: 'ft-filter', title: description, 'aria-pressed': 'false' },
      ...(severity ? [icon(DRAWINGS[severity])] : []),
      title,
      count,
    );
    button.dataset.severity = severity;
    button.dataset.filter = name;
    button.addEventListener('click', () => choose(name === '' || chosen === name ? null : name));
    return { button, count };
  };
  const mark = (filter: string | null): void => {
    chosen = filter;
    chips.forEach(({ button }, name) => button.setAttribute('aria-pressed', String(name === (filter ?? ''))));
  };
  return {
    element: group,
    mark,
    showState: ({ flags, rows }) => {
      const names = JSON.stringify(flags);
      if (names !== drawn) {
        drawn = names;
        const known = new Set(flags.map(({ name }) => name));
        chips = new Map([
          ['', chip('', 'All', 'All rows', '')],
          ...flags.map(({ name, title, description, severity }): [string, Chip] => [
            name,
            chip(name, title, description, severity),
          ]),
          ...ORDERS.filter(({ name }) => !known.has(name)).map(
            ({ name, title, description }): [string, Chip] => [name, chip(name, title, description, '')],
          ),
        ]);
        group.replaceChildren(...[...chips.values()].map(({ button }) => button));
        mark(chosen);
      }
      const all = chips.get('');
      if (all) {
        setText(all.count, whole(rows));
      }
    },
    showProgress: ({ counts, jobs }) => {
      const { state } = jobs.scan;
      for (const [name, { button, count }] of chips) {
        const found = counts[name] ?? 0;
        const more = state === 'done' ? '' : state === 'running' ? '…' : '+';
        const flag = button.dataset.severity !== '';
        if (flag) {
          setText(count, found > 0 ? `${whole(found)}${more}` : '…');
        }
        // Only a pass finds these rows. What is chosen stays, so that it can be left again.
        const useless = flag ? found === 0 && state !== 'running' : name === 'longest' && state === 'idle';
        button.hidden = useless && name !== chosen;
      }
    },
  };
}
