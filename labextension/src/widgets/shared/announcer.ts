/** A live region that a screen reader can keep up with. */

import { element, setText } from './dom';

/** Milliseconds between two announcements. */
export const PAUSE = 5000;

export interface Announcer {
  element: HTMLElement;
  /** Say `text` now, or as soon as the pause is over; a later text takes the place of one that waits. */
  say(text: string): void;
  stop(): void;
}

export function announcer(): Announcer {
  const region = element('div', { role: 'status', 'aria-live': 'polite', class: 'ft-unseen' });
  let waiting = '';
  let timer: ReturnType<typeof setTimeout> | undefined;
  const speak = (): void => {
    setText(region, waiting);
    timer = setTimeout(() => {
      timer = undefined;
      if (waiting !== region.textContent) {
        speak();
      }
    }, PAUSE);
  };
  return {
    element: region,
    say: text => {
      waiting = text;
      if (timer === undefined) {
        speak();
      }
    },
    stop: () => clearTimeout(timer),
  };
}
