/** Views of which one can be seen. */

import { element, setText } from '../shared/dom';

export interface Tab {
  name: string;
  label: string;
  element: HTMLElement;
}

export interface Tabs {
  list: HTMLElement;
  panels: HTMLElement[];
  /** Show a view; a name that there is not shows the first. */
  show(name: string): void;
  /** A number beside the name of a view, 0 for none. */
  note(name: string, count: number): void;
}

/** `shown` is called when another view comes to be seen. */
export function tabs(views: Tab[], shown: (name: string) => void): Tabs {
  const group = `ft-tab-${Math.random().toString(36).slice(2)}`;
  let current = '';
  const made = views.map(({ name, label, element: content }) => {
    const count = element('span', { class: 'ft-tab-count' });
    const tab = element(
      'button',
      {
        type: 'button',
        role: 'tab',
        class: 'ft-tab',
        id: `${group}-${name}`,
        'aria-controls': `${group}-${name}-view`,
      },
      label,
      count,
    );
    const panel = element(
      'div',
      {
        role: 'tabpanel',
        class: 'ft-tab-view',
        id: `${group}-${name}-view`,
        'aria-labelledby': `${group}-${name}`,
        hidden: true,
      },
      content,
    );
    tab.addEventListener('click', () => show(name));
    return { name, tab, panel, count };
  });
  const show = (name: string): void => {
    const to = made.some(each => each.name === name) ? name : (made[0]?.name ?? '');
    if (to === current) {
      return;
    }
    current = to;
    for (const each of made) {
      const chosen = each.name === to;
      each.panel.hidden = !chosen;
      each.tab.setAttribute('aria-selected', String(chosen));
      each.tab.tabIndex = chosen ? 0 : -1;
    }
    shown(to);
  };
  const list = element('div', { class: 'ft-tabs', role: 'tablist' }, ...made.map(({ tab }) => tab));
  list.addEventListener('keydown', event => {
    const at = made.findIndex(({ name }) => name === current);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: made.length - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      event.stopPropagation();
      const next = made[(to + made.length) % made.length];
      show(next?.name ?? '');
      next?.tab.focus();
    }
  });
  return {
    list,
    panels: made.map(({ panel }) => panel),
    show,
    note: (name, count) => {
      const found = made.find(each => each.name === name);
      if (found) {
        setText(found.count, count > 0 ? String(count) : '');
      }
    },
  };
}
