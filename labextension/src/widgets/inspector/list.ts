/** The list of rows with what finds them: search, a row's number, filters, and the pass that counts. */

import { element, setText } from '../shared/dom';
import { filters } from './filters';
import { jobLine } from './job_line';
import type { Inspector } from './panel';
import type { Progress, State } from './protocol';
import { rows } from './rows';

/** Milliseconds after the last key until a search begins. */
export const PAUSE = 250;

export interface List {
  /** Above the list and the sample: search, filters, pass. */
  tools: HTMLElement;
  element: HTMLElement;
  showState(state: State): void;
  showProgress(progress: Progress): void;
  filter(name: string | null): void;
  /** Mark the row of a place. */
  select(place: number): void;
  step(by: number): void;
  destroy(): void;
}

export function list(
  inspector: Pick<Inspector, 'ask' | 'tell' | 'announcer'>,
  open: (place: number) => void,
): List {
  let state: State | null = null;
  let chosen: string | null = null;
  let sought = '';
  let timer: ReturnType<typeof setTimeout> | undefined;

  const rowList = rows(inspector.ask, open);
  const search = element('input', {
    type: 'search',
    class: 'ft-field ft-search',
    placeholder: 'Search the rows',
    'aria-label': 'search the rows',
    spellcheck: 'false',
  });
  const found = element('span', { class: 'ft-found', role: 'status' });
  const goTo = element('input', {
    type: 'text',
    class: 'ft-field ft-go-to',
    placeholder: 'Go to row',
    inputmode: 'numeric',
    'aria-label': 'go to row',
    title: 'Go to a row by its number (Enter); 2:15 is row 15 of dataset 2',
  });
  const chips = filters(name => filter(name));
  const pass = jobLine({
    start: 'Count all',
    idle: 'Only the rows you open are tokenized.',
    tell: action => inspector.tell({ type: 'scan', action }),
  });

  const show = (): void => rowList.show({ filter: chosen, search: sought !== '' });
  const filter = (name: string | null): void => {
    chosen = name;
    chips.mark(name);
    show();
  };
  const seek = (): void => {
    clearTimeout(timer);
    const text = search.value.trim();
    if (text !== sought) {
      sought = text;
      inspector.tell({ type: 'search', text });
      setText(found, text === '' ? '' : 'searching…');
      show();
    }
  };
  search.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(seek, PAUSE);
  });
  search.addEventListener('keydown', event => {
    if (event.key === 'Enter') {
      seek();
    }
  });
  goTo.addEventListener('input', () => goTo.setCustomValidity(''));
  goTo.addEventListener('keydown', event => {
    if (event.key !== 'Enter' || !state) {
      return;
    }
    const place = placeOf(goTo.value, state);
    if (place === null) {
      goTo.setCustomValidity(`There is no row ${goTo.value.slice(0, 20)}.`);
      goTo.reportValidity();
      return;
    }
    goTo.value = '';
    search.value = '';
    seek();
    if (chosen !== null) {
      filter(null);
    }
    open(place);
  });
  for (const field of [search, goTo]) {
    // A notebook has meanings of its own for keys.
    field.addEventListener('keydown', event => event.stopPropagation());
  }

  return {
    tools: element(
      'div',
      { class: 'ft-tools' },
      element('div', { class: 'ft-tools-line' }, search, found, goTo, pass.element),
      chips.element,
    ),
    element: rowList.element,
    showState: to => {
      if (state && state.generation !== to.generation && sought !== '') {
        inspector.tell({ type: 'search', text: sought });
      }
      state = to;
      chips.showState(to);
      rowList.showState(to);
    },
    showProgress: progress => {
      const { scan, search: seeking } = progress.jobs;
      pass.show(scan);
      chips.showProgress(progress);
      if (sought !== '') {
        const count = `${progress.found.toLocaleString('en')} found`;
        const words = {
          idle: 'searching…',
          running: `searching… ${count}`,
          done: count,
          cancelled: `${count}, not all searched`,
          failed: seeking.message,
        }[seeking.state];
        setText(found, words);
      }
      rowList.refresh(progress.jobs);
    },
    filter,
    select: rowList.select,
    step: rowList.step,
    destroy: () => {
      clearTimeout(timer);
      rowList.destroy();
    },
  };
}

/** The place of `15` or `2:15`, null where there is no such row. */
export function placeOf(text: string, { datasets, rows: count }: State): number | null {
  const match = /^\s*(?:(\d+)\s*:)?\s*(\d[\d,_ ]*)\s*$/.exec(text);
  if (!match) {
    return null;
  }
  const number = Number(match[2]?.replace(/[,_ ]/g, ''));
  if (match[1] === undefined) {
    return number >= 1 && number <= count ? number - 1 : null;
  }
  const index = Number(match[1]) - 1;
  const dataset = datasets[index];
  if (!dataset || number < 1 || number > dataset.rows) {
    return null;
  }
  return datasets.slice(0, index).reduce((sum, { rows: before }) => sum + before, 0) + number - 1;
}
