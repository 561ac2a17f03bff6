import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { element } from '../src/widgets/shared/dom';
import { windowed } from '../src/widgets/inspector/windowed';

/** A box of 100 pixels, in which 10 rows can be seen. */
const SIGHT = 100;
const HEIGHT = 10;

beforeEach(() => {
  vi.spyOn(HTMLElement.prototype, 'clientHeight', 'get').mockReturnValue(SIGHT);
});
afterEach(() => vi.restoreAllMocks());

function open(count: number) {
  const window = windowed({
    height: HEIGHT,
    make: row => element('div', { tabindex: -1 }, String(row)),
  });
  document.body.append(window.box);
  window.reset(count);
  const drawn = (): string[] =>
    [...(window.box.firstElementChild?.children ?? [])].map(row => row.textContent ?? '');
  const scroll = (to: number): void => {
    window.box.scrollTop = to;
    window.box.dispatchEvent(new Event('scroll'));
  };
  const tops = (): number[] =>
    [...(window.box.firstElementChild?.children ?? [])].map(row =>
      Number(/-?[\d.]+/.exec((row as HTMLElement).style.transform)?.[0]),
    );
  return { window, drawn, scroll, tops };
}

describe('a long list', () => {
  it('has in the page what can be seen and four rows on each side, in their order', () => {
    const { drawn, scroll } = open(1000);
    expect(drawn()).toEqual(Array.from({ length: 15 }, (_, i) => String(i)));
    scroll(5000);
    expect([drawn()[0], drawn().at(-1), drawn().length]).toEqual(['496', '514', 19]);
    scroll(4980);
    expect([drawn()[0], drawn().at(-1)]).toEqual(['494', '512']);
    expect(drawn()).toEqual([...drawn()].sort((a, b) => Number(a) - Number(b)));
  });

  it('keeps the row that has the focus, and lets it go afterwards', () => {
    const { window, drawn, scroll } = open(1000);
    window.at(3)?.focus();
    scroll(5000);
    expect(drawn().slice(0, 2)).toEqual(['3', '496']);
    scroll(0);
    expect(drawn().filter(row => row === '3')).toHaveLength(1);
    window.at(4)?.focus();
    scroll(5000);
    expect(drawn().slice(0, 2)).toEqual(['4', '496']);
  });

  it('scrolls no further than it must to show a row', () => {
    const { window } = open(1000);
    window.reveal(5);
    expect(window.box.scrollTop).toBe(0);
    window.reveal(500);
    expect(window.box.scrollTop).toBe(4910);
    window.reveal(495);
    expect(window.box.scrollTop).toBe(4910);
    window.reveal(490);
    expect(window.box.scrollTop).toBe(4900);
    window.reveal(495, true);
    expect(window.seen()).toEqual({ first: 495, count: 10 });
  });

  it('is shorter when it has fewer rows, and stays within them', () => {
    const { window, drawn, scroll } = open(1000);
    scroll(9900);
    window.reset(20);
    expect([drawn()[0], drawn().at(-1)]).toEqual(['6', '19']);
  });

  it('draws one row anew', () => {
    let word = 'before';
    const window = windowed({ height: HEIGHT, make: row => element('div', {}, `${word} ${row}`) });
    document.body.append(window.box);
    window.reset(3);
    word = 'after';
    window.redraw(1);
    window.redraw(99);
    expect([0, 1, 2].map(row => window.at(row)?.textContent)).toEqual(['before 0', 'after 1', 'before 2']);
  });
});

describe('a list taller than a browser can scroll', () => {
  /** 100 million pixels of rows in an area of 8 million. */
  const COUNT = 10_000_000;

  it('is reached to its last row', () => {
    const { window, drawn, scroll } = open(COUNT);
    expect(window.box.querySelector<HTMLElement>('.ft-layer')?.style.height).toBe('8000000px');
    scroll(8_000_000 - SIGHT);
    expect(drawn().at(-1)).toBe(String(COUNT - 1));
    scroll(0);
    expect(drawn()[0]).toBe('0');
  });

  it('moves row by row in small steps, and by proportion in large ones', () => {
    const { window, scroll } = open(COUNT);
    scroll(30);
    expect(window.seen().first).toBe(3);
    const middle = (8_000_000 - SIGHT) / 2;
    scroll(middle);
    expect(window.seen().first).toBe(COUNT / 2 - 5);
    scroll(middle + 50);
    expect(window.seen().first).toBe(COUNT / 2);
  });

  it('goes to a row, and draws it where the box is', () => {
    const { window, tops } = open(COUNT);
    window.reveal(7_654_321, true);
    expect(window.seen().first).toBe(7_654_321);
    const index = 4;
    expect(Math.abs((tops()[index] ?? 0) - window.box.scrollTop)).toBeLessThan(HEIGHT);
  });
});
