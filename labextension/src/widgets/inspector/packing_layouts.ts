/** The ways to lay samples into rows, compared: how many rows, how full. */

import { element } from '../shared/dom';
import { many, percent, whole } from './figures';
import type { PackingLayout } from './protocol';

export interface Layouts {
  element: HTMLElement;
  draw(layouts: PackingLayout[], chosen: string): void;
}

/** @param choose - Called with the name of a layout when the reader chooses it. */
export function packingLayouts(choose: (name: string) => void): Layouts {
  const group = `ft-layout-${Math.random().toString(36).slice(2)}`;
  const cards = element('div', {
    class: 'ft-layouts',
    role: 'radiogroup',
    'aria-label': 'how samples are laid into rows',
  });
  let shown = '';
  return {
    element: cards,
    draw: (layouts, chosen) => {
      const now = JSON.stringify([layouts, chosen]);
      if (now === shown) {
        return;
      }
      shown = now;
      const held = cards.contains(document.activeElement);
      cards.replaceChildren(
        ...layouts.map(layout => {
          const radio = element('input', {
            type: 'radio',
            name: group,
            class: 'ft-layout-radio',
            checked: layout.name === chosen,
          });
          radio.addEventListener('change', () => choose(layout.name));
          return card(layout, radio, layouts);
        }),
      );
      if (held) {
        cards.querySelector<HTMLElement>('input:checked')?.focus();
      }
    },
  };
}

function card(layout: PackingLayout, radio: HTMLElement, layouts: PackingLayout[]): HTMLElement {
  const current = layouts.find(({ current }) => current);
  const filled = element('span', { class: 'ft-layout-filled' });
  filled.style.width = `${layout.fill * 100}%`;
  const fact = (value: string, name: string): HTMLElement =>
    element('span', { class: 'ft-layout-fact' }, element('b', {}, value), ` ${name}`);
  return element(
    'label',
    { class: 'ft-layout', title: layout.description },
    element(
      'span',
      { class: 'ft-layout-head' },
      radio,
      element('span', { class: 'ft-layout-title' }, layout.title),
      ...(layout.current ? [element('span', { class: 'ft-layout-current' }, 'this config')] : []),
    ),
    element('span', { class: 'ft-layout-bar', 'aria-hidden': 'true' }, filled),
    element(
      'span',
      { class: 'ft-layout-facts' },
      fact(percent(layout.fill, 1), 'filled'),
      fact(whole(layout.rows), `row${layout.rows === 1 ? '' : 's'} of up to ${whole(layout.capacity)}`),
      fact(layout.samples_per_row.toFixed(1), 'samples a row'),
    ),
    element('span', { class: 'ft-layout-note' }, layout.description),
    element('span', { class: 'ft-layout-note' }, compared(layout, current)),
  );
}

/** How a layout compares with that of the config: its rows, and all that is computed, padding included. */
function compared(layout: PackingLayout, current: PackingLayout | undefined): string {
  if (!current || current.name === layout.name || !current.rows || !layout.rows) {
    return '';
  }
  const times = current.fill / layout.fill;
  const difference = layout.rows - current.rows;
  const rows =
    difference === 0
      ? 'as many rows'
      : `${many(Math.abs(difference), difference > 0 ? 'more row' : 'fewer row')}`;
  return `${rows}, ${times.toFixed(2)} times the tokens computed`;
}
