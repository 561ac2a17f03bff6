import { describe, expect, it, vi } from 'vitest';

import {
  documents,
  maskThumbnail,
  openShare,
  positionStrip,
  restarts,
} from '../src/widgets/inspector/mask_thumbnail';
import { packedBar, pieces } from '../src/widgets/inspector/packed_bar';
import { RENEWAL, REST, packingPanel } from '../src/widgets/inspector/packing';
import type { PackedRow, PackingLayout, PackingView } from '../src/widgets/inspector/protocol';
import { FakeInspector, aJob, int32, show, someProgress, texts } from './a_panel';
import { aState } from './a_set';
import { one, press, text } from './fake_model';

const PACKED: PackingLayout = {
  name: 'packed',
  title: 'Packed',
  rows: 3,
  fill: 0.9,
  capacity: 100,
  samples_per_row: 2.5,
  current: true,
  description: 'Fitted together.',
};
const PADDED: PackingLayout = {
  ...PACKED,
  name: 'padded',
  title: 'One a row',
  rows: 8,
  fill: 0.3,
  samples_per_row: 1,
  current: false,
  description: 'Each alone.',
};

/** A row of samples so long, whose places count from ten times its number. */
function aRow(row: number, lengths = [40, 30, 20], width = 100): PackedRow {
  return {
    row,
    segments: lengths.map((length, at) => ({
      place: row * 10 + at,
      sample: at === 2 ? 1 : 0,
      length,
      trained: length / 2,
    })),
    tokens: lengths.reduce((sum, length) => sum + length, 0),
    width,
  };
}

function aView(change: Partial<PackingView> = {}): PackingView {
  return {
    layouts: [PACKED, PADDED],
    layout: 'packed',
    total: 3,
    start: 0,
    rows: [aRow(0), aRow(1, [60, 40]), aRow(2)],
    samples: 8,
    message: '',
    ...change,
  };
}

async function open(view = aView()) {
  const inspector = new FakeInspector();
  const panel = show(packingPanel(inspector));
  panel.showState(aState());
  panel.shown?.();
  await inspector.last.reply(view);
  const el = panel.element;
  const grid = one(el, '[role=grid]');
  const key = (name: string): KeyboardEvent => {
    const event = new KeyboardEvent('keydown', { key: name, bubbles: true, cancelable: true });
    grid.dispatchEvent(event);
    return event;
  };
  return { inspector, panel, el, grid, key };
}

describe('a packed row', () => {
  it('has its narrow neighbours drawn together', () => {
    expect(pieces(aRow(0, [50, 1, 1, 1, 40, 1]), 400)).toEqual([
      { first: 0, stop: 1, length: 50 },
      { first: 1, stop: 4, length: 3 },
      { first: 4, stop: 5, length: 40 },
      { first: 5, stop: 6, length: 1 },
    ]);
  });

  it('of many short samples has no piece much wider than a 25th of it', () => {
    const found = pieces(aRow(0, Array<number>(100).fill(4)), 1000);
    expect(found.map(({ length }) => length)).toEqual([...Array<number>(10).fill(40)]);
    expect(found.at(-1)).toEqual({ first: 90, stop: 100, length: 40 });
  });

  it('is a bar of cells with their share of the row', () => {
    const bar = packedBar(aRow(4), 100, 'x');
    const cells = [...bar.querySelectorAll<HTMLElement>('[role=gridcell]')];
    expect(cells.map(cell => cell.getAttribute('aria-label'))).toEqual([
      'segment 1, row 41 of the set, 40 tokens',
      'segment 2, row 42 of the set, 30 tokens',
      'segment 3, row 43 of the set (sample 2), 20 tokens',
      'padding, 10 tokens',
    ]);
    expect(cells.map(cell => cell.style.width)).toEqual(['40%', '30%', '20%', '10%']);
    expect(cells.map(cell => cell.dataset.colour)).toEqual(['0', '1', '2', undefined]);
    expect(cells.map(cell => cell.textContent)).toEqual(['140', '230', '320', '']);
    expect(cells[0]?.style.getPropertyValue('--ft-trained')).toBe('50%');
  });

  it.each([
    ['narrower than others is no wider than it is', [40], 80, 100, ['40%', '40%']],
    ['too long for others fills its bar', [200], 200, 100, ['100%']],
  ])('%s', (_, lengths, width, capacity, widths) => {
    const bar = packedBar(aRow(0, lengths, width), capacity, 'x');
    expect([...bar.children].map(cell => (cell as HTMLElement).style.width)).toEqual(widths);
  });

  it('that is full has no padding', () => {
    expect(packedBar(aRow(0, [60, 40]), 100, 'x').querySelectorAll('.ft-pack-padding')).toHaveLength(0);
  });
});

describe('the mask of a row', () => {
  const ids = Int32Array.from([1, 1, 1, 2, 2, 0]);

  it('has the documents of the row', () => {
    const found = [
      { id: 1, start: 0, stop: 3 },
      { id: 2, start: 3, stop: 5 },
      { id: 0, start: 5, stop: 6 },
    ];
    expect(documents(ids)).toEqual(found);
    // 3 + 2 + 1 pairs, and 2 + 1, of 6 + 5 + 4 + 3 + 2 + 1.
    expect(openShare(found, 6)).toBe(9 / 21);
    expect(documents(new Int32Array())).toEqual([]);
  });

  it('is drawn as a triangle for each sample, and told in words', () => {
    const figure = maskThumbnail(ids);
    const drawn = [...figure.querySelectorAll('.ft-mask-document')].map(path => path.getAttribute('d'));
    expect(drawn.slice(0, 3)).toEqual([
      `M0 0V${3 * (100 / 6)}H${3 * (100 / 6)}z`,
      `M${3 * (100 / 6)} ${3 * (100 / 6)}V${5 * (100 / 6)}H${5 * (100 / 6)}z`,
      '',
    ]);
    const words =
      'Attention mask: 2 blocks. A token sees the tokens before it in its own sample, 42.9% of a full causal mask.';
    expect(text(figure, 'figcaption')).toBe(words);
    expect(figure.querySelector('svg')?.getAttribute('aria-label')).toBe(words);
  });

  it('may be of padding alone', () => {
    expect(text(maskThumbnail(Int32Array.from([0, 0])), 'figcaption')).toBe('Attention mask: only padding.');
  });

  it.each([
    [
      [0, 1, 2, 0, 1, 0],
      [0, 3, 5],
      'Position ids start again with each of the 2 samples, and count up to 2.',
    ],
    [[0, 1, 2, 3, 4, 5], [0], 'Position ids start 1 time for 3 documents, and count up to 4.'],
    [
      [0, 1, 2, 0, 1, 9],
      [0, 3, 5],
      'Position ids start again with each of the 2 samples, and count up to 2.',
    ],
  ])('stands beside positions that start again: %j', (positions, starts, words) => {
    const strip = positionStrip(Int32Array.from(positions), ids);
    expect(restarts(Int32Array.from(positions))).toEqual(starts);
    expect(text(strip, 'figcaption')).toBe(words);
  });
});

describe('packing', () => {
  it('asks for nothing before it is seen', () => {
    const inspector = new FakeInspector();
    const panel = show(packingPanel(inspector));
    panel.showState(aState());
    expect(inspector.asked).toEqual([]);
    panel.shown?.();
    panel.shown?.();
    expect(inspector.asked).toEqual([['packing', { layout: null, start: 0, stop: 64 }]]);
  });

  it('compares the layouts', async () => {
    const { el } = await open();
    expect(texts(el, '.ft-layout-title')).toEqual(['Packed', 'One a row']);
    expect(texts(el, '.ft-layout-facts')).toEqual([
      '90% filled3 rows of up to 1002.5 samples a row',
      '30% filled8 rows of up to 1001.0 samples a row',
    ]);
    expect(texts(el, '.ft-layout-note')).toEqual([
      'Fitted together.',
      '',
      'Each alone.',
      '5 more rows, 3.00 times the tokens computed',
    ]);
    expect(texts(el, '.ft-layout-current')).toEqual(['this config']);
    expect(text(el, '.ft-note')).toBe('Of the 8 samples looked at and kept.');
    expect(texts(el, '.ft-pack-axis span')).toEqual(['0', '25', '50', '75', '100']);
  });

  it('shows another layout from its top', async () => {
    const { el, inspector, key } = await open();
    key('End');
    el.querySelectorAll<HTMLInputElement>('input[type=radio]')[1]?.click();
    expect(inspector.last.request).toEqual({ layout: 'padded', start: 0, stop: 64 });
    await inspector.last.reply(aView({ layout: 'padded', total: 8, rows: [aRow(0, [30])] }));
    expect(one(el, '[role=grid]').getAttribute('aria-rowcount')).toBe('8');
    expect(one(el, '[aria-selected=true]').getAttribute('aria-rowindex')).toBe('1');
    expect(el.querySelectorAll<HTMLInputElement>('input[type=radio]')[1]?.checked).toBe(true);
  });

  it('shows rows with their fill', async () => {
    const { el } = await open();
    expect(texts(el, '.ft-pack-number')).toEqual(['1', '2', '3']);
    expect(texts(el, '.ft-pack-fill')).toEqual(['90%', '100%', '90%']);
    expect(text(el, '.ft-pack-detail')).toBe(
      'Row 1, segment 1 of 3: row 1 of the set, 40 tokens, 20 trained; tokens 0 to 39 of the row, positions 0 to 39',
    );
  });

  it('is walked through by keys', async () => {
    const { el, grid, key, inspector } = await open();
    const at = (): [string | null, string | null] => [
      one(el, '[aria-selected=true]').getAttribute('aria-rowindex'),
      document.getElementById(grid.getAttribute('aria-activedescendant') ?? '')?.dataset.segment ?? null,
    ];
    const walk: [string, [string, string]][] = [
      ['ArrowRight', ['1', '1']],
      ['ArrowRight', ['1', '2']],
      ['ArrowRight', ['1', '2']],
      ['ArrowLeft', ['1', '1']],
      ['ArrowDown', ['2', '0']],
      ['ArrowUp', ['1', '0']],
      ['ArrowUp', ['1', '0']],
      ['End', ['3', '0']],
      ['ArrowDown', ['3', '0']],
      ['PageUp', ['2', '0']],
      ['Home', ['1', '0']],
      ['PageDown', ['2', '0']],
    ];
    for (const [name, place] of walk) {
      expect(key(name).defaultPrevented).toBe(true);
      expect([name, at()]).toEqual([name, place]);
    }
    key('ArrowRight');
    expect(one(el, '[data-chosen]').dataset.segment).toBe('1');
    expect(text(el, '.ft-pack-detail')).toContain('Row 2, segment 2 of 2: row 12 of the set, 40 tokens');
    key('Enter');
    expect(inspector.open).toHaveBeenCalledWith(11, 0);
    expect(key('x').defaultPrevented).toBe(false);
  });

  it('keeps its mark on the chosen segment while rows are drawn anew', async () => {
    const { el, panel, inspector, key } = await open();
    key('ArrowRight');
    panel.showProgress(someProgress({ jobs: { scan: aJob('done', 100) } }));
    await inspector.last.reply(aView({ total: 2, rows: [aRow(0, [10, 50]), aRow(1)] }));
    expect(one(el, '[data-chosen]').getAttribute('aria-label')).toBe(
      'segment 2, row 2 of the set, 50 tokens',
    );
    key('ArrowDown');
    expect(one(el, '[data-chosen]').closest('[role=row]')?.getAttribute('aria-rowindex')).toBe('2');
  });

  it('has its mark still when it was scrolled away and comes back', async () => {
    const rows = Array.from({ length: 64 }, (_, row) => aRow(row));
    const { el, grid, key } = await open(aView({ total: 64, rows }));
    key('ArrowRight');
    for (const top of [1600, 0]) {
      grid.scrollTop = top;
      grid.dispatchEvent(new Event('scroll'));
      expect(el.querySelectorAll('[data-chosen]')).toHaveLength(top === 0 ? 1 : 0);
    }
    expect(one(el, '[data-chosen]').dataset.segment).toBe('1');
  });

  it('opens the sample of a segment that is clicked', async () => {
    const { el, inspector } = await open();
    el.querySelectorAll<HTMLElement>('.ft-pack-segment')[2]?.click();
    expect(inspector.open).toHaveBeenCalledWith(2, 1);
    inspector.open.mockClear();
    el.querySelectorAll<HTMLElement>('.ft-pack-number')[1]?.click();
    expect(inspector.open).not.toHaveBeenCalled();
    expect(one(el, '[aria-selected=true]').getAttribute('aria-rowindex')).toBe('2');
  });

  it('tells of the segment under the pointer, and after that of the chosen one', async () => {
    const { el, grid } = await open();
    const cell = el.querySelectorAll<HTMLElement>('.ft-pack-segment')[1];
    cell?.dispatchEvent(new MouseEvent('mouseover', { bubbles: true }));
    expect(text(el, '.ft-pack-detail')).toContain('Row 1, segment 2 of 3');
    grid.dispatchEvent(new MouseEvent('mouseleave'));
    expect(text(el, '.ft-pack-detail')).toContain('Row 1, segment 1 of 3');
  });

  it('tells of short samples that are drawn as one', async () => {
    const layouts = [{ ...PACKED, capacity: 1000 }];
    const { el } = await open(aView({ layouts, total: 1, rows: [aRow(0, [3, 3, 900], 1000)] }));
    const cell = one(el, '.ft-pack-segment[data-many]');
    cell.dispatchEvent(new MouseEvent('mouseover', { bubbles: true }));
    expect(text(el, '.ft-pack-detail')).toBe('Row 1, segments 1 to 2, 6 tokens');
  });

  it('draws the mask of the row that the reader rests on', async () => {
    const { el, inspector, key } = await open();
    key('ArrowDown');
    vi.advanceTimersByTime(REST - 1);
    expect(inspector.questions.filter(({ name }) => name === 'pack')).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(inspector.asked.at(-1)).toEqual(['pack', { layout: 'packed', row: 1 }]);
    const [ids, positions] = [int32([1, 1, 2]), int32([0, 1, 0])];
    await inspector.last.reply({}, [ids, ids, positions, ids]);
    expect(text(el, '.ft-mask-figure figcaption')).toContain('2 blocks');
    expect(text(el, '.ft-positions-figure figcaption')).toContain('each of the 2 samples');
  });

  it('drops the mask of a row that was left', async () => {
    const { el, inspector, key } = await open();
    vi.advanceTimersByTime(REST);
    const first = inspector.last;
    key('ArrowDown');
    await first.reply(
      {},
      [1, 2, 3, 4].map(() => int32([1])),
    );
    expect(el.querySelectorAll('.ft-mask-figure')).toHaveLength(0);
  });

  it('says what it is about, and lets the reader count, where nothing is counted', async () => {
    const { el, panel, inspector } = await open(
      aView({ total: 0, rows: [], samples: 0, message: 'Count the set first.' }),
    );
    panel.showProgress(someProgress());
    expect(text(el, '.ft-note[role=status]')).toBe('Count the set first.');
    expect(one(el, '.ft-pack-content').hidden).toBe(true);
    press(el, 'Count the set');
    expect(inspector.tell).toHaveBeenCalledWith({ type: 'scan', action: 'start' });
  });

  it('looks again while the set is counted, not too often, and when that is done', async () => {
    const { el, panel, inspector } = await open();
    const before = inspector.questions.length;
    const asked = (): number => inspector.questions.length - before;
    panel.showProgress(someProgress({ jobs: { scan: aJob('running', 10) } }));
    expect(asked()).toBe(1);
    await inspector.last.reply(aView({ total: 2, rows: [aRow(0), aRow(1)] }));
    expect(texts(el, '.ft-pack-number')).toEqual(['1', '2']);
    panel.showProgress(someProgress({ jobs: { scan: aJob('running', 20) } }));
    expect(asked()).toBe(1);
    vi.advanceTimersByTime(RENEWAL);
    const rested = inspector.questions.length - before; // the mask of the chosen row
    panel.showProgress(someProgress({ jobs: { scan: aJob('running', 30) } }));
    expect(asked()).toBe(rested + 1);
    panel.showProgress(someProgress({ jobs: { scan: aJob('done', 100) } }));
    expect(asked()).toBe(rested + 2);
    panel.showProgress(someProgress({ jobs: { scan: aJob('done', 100) } }));
    expect(asked()).toBe(rested + 2);
    expect(one(el, '.ft-job').hidden).toBe(true);
  });

  it('drops answers about other settings, and asks again', async () => {
    const { el, panel, inspector } = await open();
    panel.showProgress(someProgress({ jobs: { scan: aJob('done', 100) } }));
    const old = inspector.last;
    panel.showState(aState({ generation: 2 }));
    expect(inspector.last).not.toBe(old);
    expect(inspector.last.request).toEqual({ layout: null, start: 0, stop: 64 });
    await old.reply(aView({ total: 1, rows: [aRow(0, [1])] }));
    expect(texts(el, '.ft-pack-fill')).toEqual(['90%', '100%', '90%']);
    await inspector.last.reply(aView({ total: 1, rows: [aRow(0, [100])] }));
    expect(texts(el, '.ft-pack-fill')).toEqual(['100%']);
  });

  it('shows what the kernel refuses', async () => {
    const inspector = new FakeInspector();
    const panel = show(packingPanel(inspector));
    panel.shown?.();
    await inspector.last.refuse({ message: 'It went wrong.', fix: 'Try again.' });
    expect(text(panel.element, '.ft-note[role=status]')).toBe('It went wrong. Try again.');
  });
});
