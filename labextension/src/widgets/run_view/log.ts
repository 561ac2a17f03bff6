/** The end of a run's log. */

import { element, keepingEnd } from '../shared/dom';

/** Most characters kept; the whole log is a file in the run's directory. */
export const LIMIT = 100_000;

export interface Log {
  element: HTMLElement;
  replace(text: string): void;
  append(text: string): void;
}

export function log(): Log {
  const text = document.createTextNode('');
  const box = element('pre', { class: 'ft-text ft-log', tabindex: 0, 'aria-label': 'log' }, text);
  const details = element('details', {}, element('summary', {}, 'Log'), box);
  details.addEventListener('toggle', () => {
    box.scrollTop = box.scrollHeight;
  });
  const set = (whole: string): void =>
    keepingEnd(box, () => {
      text.data = whole.length <= LIMIT ? whole : whole.slice(whole.indexOf('\n', whole.length - LIMIT) + 1);
    });
  return {
    element: details,
    replace: set,
    append: more => {
      if (more) {
        set(text.data + more);
      }
    },
  };
}
