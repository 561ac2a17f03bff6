/** Where else a run can be seen: a link where that is a page, else its place as text. */

import { element } from '../shared/dom';
import type { Tracker } from './protocol';

export interface Trackers {
  element: HTMLElement;
  draw(trackers: Tracker[]): void;
}

export function trackers(): Trackers {
  const list = element('span', { class: 'ft-run-trackers', hidden: true });
  let drawn = '';
  return {
    element: list,
    draw: found => {
      const now = JSON.stringify(found);
      if (now === drawn) {
        return;
      }
      drawn = now;
      list.replaceChildren(...found.map(place));
      list.hidden = found.length === 0;
    },
  };
}

function place({ name, address }: Tracker): HTMLElement {
  if (isPage(address)) {
    return element(
      'a',
      { href: address, target: '_blank', rel: 'noopener noreferrer', title: address },
      name,
    );
  }
  return element('span', {}, `${name}: `, element('code', {}, address));
}

/** Whether an address is a page of the web; no other scheme becomes a link. */
export function isPage(address: string): boolean {
  try {
    return ['http:', 'https:'].includes(new URL(address).protocol);
  } catch {
    return false;
  }
}
