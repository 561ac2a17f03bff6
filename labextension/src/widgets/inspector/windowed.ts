/** A long list of which only what can be seen is in the page. */

import { element } from '../shared/dom';

/** Pixels of a scrolled area beyond which browsers stop counting; Firefox does at 17 million. */
const TALLEST = 8_000_000;
/** Rows drawn above and below those that can be seen. */
const MARGIN = 4;

export interface Windowed {
  /** What scrolls. */
  box: HTMLElement;
  /** Let there be `count` rows, and draw all that can be seen anew. */
  reset(count: number): void;
  /** Let there be `count` rows; those that are drawn stay as they are. */
  resize(count: number): void;
  /** Draw one row anew if it can be seen. */
  redraw(row: number): void;
  /** The element of a row, if it is in the page. */
  at(row: number): HTMLElement | undefined;
  /** Scroll so that a row can be seen, as little as possible; or so that it is the first. */
  reveal(row: number, first?: boolean): void;
  /** The first row that can be seen, and how many can be. */
  seen(): { first: number; count: number };
  destroy(): void;
}

/** How to make rows, and whom to tell. */
export interface Source {
  /** Pixels of a row. */
  height: number;
  make(row: number): HTMLElement;
  /** Called after drawing with the rows now in the page, `[start, stop)`. */
  drawn?(start: number, stop: number): void;
  /** Called when the box comes to have another width. */
  resized?(): void;
}

/**
 * Rows of one height in a box that scrolls.
 *
 * Where all rows together are taller than what a browser can scroll, the area is shorter, and `offset` says how far the
 * rows are moved up: small steps of scrolling move by pixels, large ones (a dragged scroll bar) by proportion.
 */
export function windowed({ height, make, drawn, resized }: Source): Windowed {
  const layer = element('div', { class: 'ft-layer', role: 'presentation' });
  const box = element('div', { class: 'ft-windowed' }, layer);
  const rows = new Map<number, HTMLElement>();
  let count = 0;
  let offset = 0;
  let before = 0;
  let sight = 0;
  let width = 0;
  let hidden = false;

  const whole = (): number => count * height;
  const tall = (): number => Math.min(whole(), TALLEST);
  const place = (row: number, made: HTMLElement): void => {
    made.style.transform = `translateY(${row * height - offset}px)`;
  };
  const move = (to: number): void => {
    if (to !== offset) {
      offset = to;
      rows.forEach((made, row) => place(row, made));
    }
  };
  const remove = (keep: (row: number) => boolean): void => {
    for (const [row, made] of rows) {
      // The row that has the focus stays, wherever it is, so that keys keep their place.
      if (!keep(row) && !made.contains(document.activeElement)) {
        made.remove();
        rows.delete(row);
      }
    }
  };
  const first = (): number => Math.max(0, Math.min(count - 1, Math.floor((before + offset) / height)));
  const draw = (): void => {
    const start = Math.max(0, first() - MARGIN);
    const stop = Math.min(count, first() + Math.ceil(sight / height) + 1 + MARGIN);
    remove(row => row >= start && row < stop);
    let next = layer.firstElementChild;
    for (let row = start; row < stop; row += 1) {
      while (next && Number((next as HTMLElement).dataset.row) < row) {
        next = next.nextElementSibling;
      }
      let made = rows.get(row);
      if (!made) {
        made = make(row);
        made.dataset.row = String(row);
        place(row, made);
        rows.set(row, made);
      }
      if (made === next) {
        next = next.nextElementSibling;
      } else {
        layer.insertBefore(made, next);
      }
    }
    drawn?.(start, stop);
  };
  /** Scroll to a pixel of all rows together. */
  const scrollTo = (pixel: number): void => {
    const wanted = Math.max(0, Math.min(whole() - sight, pixel));
    const most = Math.max(0, tall() - sight);
    const share = whole() > sight ? wanted / (whole() - sight) : 0;
    move(whole() > TALLEST ? Math.round(wanted - share * most) : 0);
    before = wanted - offset;
    box.scrollTop = before;
    draw();
  };
  const scrolled = (): void => {
    const top = box.scrollTop;
    if (top === before) {
      return;
    }
    const step = top - before;
    before = top;
    if (whole() <= TALLEST) {
      draw();
      return;
    }
    const most = tall() - sight;
    if (Math.abs(step) > sight || top <= 0 || top >= most) {
      move(Math.round((top / most) * (whole() - sight) - top));
    } else if (top + offset < 0 || top + offset > whole() - sight) {
      scrollTo(top + offset);
      return;
    }
    draw();
  };
  const measure = (): void => {
    const was = hidden;
    hidden = box.clientWidth === 0;
    if (hidden) {
      return;
    }
    if (was) {
      // A box that was not displayed has lost how far it was scrolled.
      box.scrollTop = before;
    }
    const changed = box.clientWidth !== width;
    width = box.clientWidth;
    sight = box.clientHeight;
    if (changed) {
      resized?.();
    }
    draw();
  };
  const observer = new ResizeObserver(measure);
  observer.observe(box);
  box.addEventListener('scroll', scrolled, { passive: true });

  const resize = (to: number): void => {
    count = to;
    layer.style.height = `${tall()}px`;
    sight = box.clientHeight;
    before = Math.max(0, Math.min(before, tall() - sight));
    if (whole() <= TALLEST) {
      move(0);
    }
    draw();
  };
  return {
    box,
    resize,
    reset: to => {
      const held = document.activeElement;
      layer.replaceChildren();
      rows.clear();
      resize(to);
      if (held instanceof HTMLElement && !held.isConnected) {
        box.focus({ preventScroll: true });
      }
    },
    redraw: row => {
      const old = rows.get(row);
      if (old) {
        const made = make(row);
        made.dataset.row = String(row);
        place(row, made);
        old.replaceWith(made);
        rows.set(row, made);
      }
    },
    at: row => rows.get(row),
    reveal: (row, asFirst = false) => {
      sight = box.clientHeight;
      const top = before + offset;
      if (asFirst || row * height < top) {
        scrollTo(row * height);
      } else if ((row + 1) * height > top + sight) {
        scrollTo((row + 1) * height - sight);
      }
    },
    seen: () => ({ first: first(), count: Math.max(1, Math.floor(sight / height)) }),
    destroy: () => observer.disconnect(),
  };
}
