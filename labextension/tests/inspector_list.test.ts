import { afterEach, describe, expect, it, vi } from 'vitest';

import { PAUSE, placeOf } from '../src/widgets/inspector/list';
import { aDataset, aList, aRow, aState } from './a_set';
import { anInspector, type } from './an_inspector';

afterEach(() => vi.restoreAllMocks());

async function opened(change = {}) {
  const inspector = anInspector();
  inspector.state(change);
  await inspector.rows((change as { rows?: number }).rows);
  return inspector;
}

const chosen = (el: HTMLElement): string[] =>
  [...el.querySelectorAll('.ft-row[aria-selected=true]')].map(row => (row as HTMLElement).dataset.row ?? '');

describe('the list', () => {
  it('asks for the rows that can be seen, in whole fifties, and draws them', async () => {
    const { asked, texts, box } = await opened();
    expect(asked('list')).toMatchObject({ filter: null, search: false, start: 0, stop: 50 });
    // 10 rows of 44 pixels can be seen; 5 more are drawn below them.
    expect(texts('.ft-row-text')).toHaveLength(15);
    expect(texts('.ft-row-text').slice(0, 2)).toEqual(['text of row 1', 'text of row 2']);
    expect(box('.ft-row[data-row="1"]').getAttribute('aria-posinset')).toBe('2');
    expect(box('.ft-row[data-row="1"]').getAttribute('aria-setsize')).toBe('100');
  });

  it('has the rows of a million before any is known, and asks for those scrolled to', async () => {
    const { box, asked, texts, rows } = await opened({ rows: 1_000_000 });
    const list = box('.ft-rows');
    list.scrollTop = 4_000_000;
    list.dispatchEvent(new Event('scroll'));
    const { start, stop } = asked('list') ?? { start: 0, stop: 0 };
    expect(stop - start).toBeLessThanOrEqual(100);
    expect(Math.abs(start - 500_000)).toBeLessThan(200);
    expect(texts('.ft-row-text')[5]).toBe('…');
    await rows(1_000_000);
    expect(texts('.ft-row-text')[5]).toMatch(/^text of row 500\d\d\d$/);
  });

  it('shows of a row its number, tokens, trained share and flags by name', async () => {
    const { reply, texts, state } = anInspector();
    state({ datasets: [aDataset(40), aDataset(60)] });
    await reply('list', {
      ...aList(0, 0),
      rows: [
        aRow(0, { length: 1234, trained: 617, flags: ['truncated', 'of_tomorrow'] }),
        aRow(1, { dataset: 1, number: 1, error: 'It has no messages.', flags: ['broken'] }),
        aRow(2, { length: 1, trained: 0, text: '<b>\u202e\u0000\n\nend' }),
      ],
    });
    expect(texts('.ft-row').slice(0, 3)).toEqual([
      'text of row 11:11,234 tokens50% trainedTruncatedof_tomorrow',
      'It has no messages.2:1Broken',
      '<b>‹U+202E›␀ ⏎ end1:31 token0% trained',
    ]);
  });

  it('is one stop of the Tab key, and moved in by keys', async () => {
    const { el, box, key, asked, model } = await opened();
    const list = box('.ft-rows');
    expect(list.tabIndex).toBe(0);
    const places: unknown[] = [];
    for (const each of [
      'ArrowDown',
      'ArrowDown',
      'ArrowUp',
      'PageDown',
      'End',
      'ArrowDown',
      'PageUp',
      'Home',
    ]) {
      key(list, each);
      places.push(asked('sample')?.place);
    }
    expect(places).toEqual([1, 2, 1, 10, 99, 99, 90, 0]);
    expect(chosen(el)).toEqual(['0']);
    expect(list.getAttribute('aria-activedescendant')).toBe(box('.ft-row[data-row="0"]').id);
    expect(model.get('place')).toBe(0);
    expect(key(list, 'a')).toBe(true);
    expect(key(list, 'ArrowDown', { altKey: true })).toBe(true);
    expect(key(list, 'ArrowDown')).toBe(false);
  });

  it('opens a row that is clicked', async () => {
    const { el, box, asked } = await opened();
    box('.ft-row[data-row="7"]').click();
    expect(asked('sample')).toMatchObject({ place: 7, sample: 0 });
    expect(chosen(el)).toEqual(['7']);
  });

  it('says why there is nothing', async () => {
    const { refuse, texts, state } = anInspector();
    state();
    await refuse('list', 'The file is gone.', 'Put it back.');
    expect(texts('.ft-rows-empty')).toEqual(['The file is gone. Put it back.']);
  });

  it('forgets what it knew when the kernel counts anew', async () => {
    const { state, texts, asked, model } = await opened();
    model.sent.length = 0;
    state({ generation: 2, rows: 3 });
    expect(texts('.ft-row-text')).toEqual(['…', '…', '…']);
    expect(asked('list')).toMatchObject({ start: 0, stop: 3 });
  });
});

describe('a filter', () => {
  it('is a chip with its count, and not there where no pass has found any', async () => {
    const { texts, progress } = await opened();
    progress();
    expect(texts('.ft-filter')).toEqual(['All100', 'Random']);
    progress({ scan: { state: 'running', done: 50 } }, { counts: { truncated: 1200 } });
    expect(texts('.ft-filter').slice(1, 4)).toEqual(['Broken…', 'Truncated1,200…', 'Thinking…']);
    progress({ scan: { state: 'cancelled', done: 60 } }, { counts: { truncated: 1300 } });
    expect(texts('.ft-filter')).toEqual(['All100', 'Truncated1,300+', 'Longest', 'Random']);
    progress({ scan: { state: 'done', done: 100 } }, { counts: { truncated: 2000 } });
    expect(texts('.ft-filter')).toEqual(['All100', 'Truncated2,000', 'Longest', 'Random']);
  });

  it('shows its rows, more of them as the pass goes on, and those of a place where it is among them', async () => {
    const { el, box, asked, reply, texts, progress, key, model } = await opened();
    box('[data-filter=truncated]').click();
    expect(box('[data-filter=truncated]').getAttribute('aria-pressed')).toBe('true');
    expect(asked('list')).toMatchObject({ filter: 'truncated', search: false, start: 0, stop: 50 });
    const few = { total: 2, complete: false, start: 0, rows: [aRow(3), aRow(30)] };
    await reply('list', few);
    expect(texts('.ft-row-text')).toEqual(['text of row 4', 'text of row 31']);
    expect(box('.ft-row[data-row="0"]').getAttribute('aria-setsize')).toBe('-1');
    expect(chosen(el)).toEqual([]);
    key(box('.ft-rows'), 'End');
    expect(asked('sample')).toMatchObject({ place: 30 });

    model.sent.length = 0;
    progress({ scan: { state: 'running', done: 50 } });
    expect(asked('list')).toMatchObject({ filter: 'truncated', start: 0 });
    await reply('list', { ...few, total: 3, complete: true, rows: [...few.rows, aRow(77)] });
    expect(texts('.ft-row-text')).toHaveLength(3);
    expect(chosen(el)).toEqual(['1']);

    box('[data-filter=truncated]').click();
    expect(asked('list')).toMatchObject({ filter: null });
    expect(chosen(el)).toEqual(['30']);

    box('[data-filter=truncated]').click();
    await reply('list', few);
    expect(chosen(el)).toEqual(['1']);
  });

  it('says that there are none so far, or none', async () => {
    const { box, reply, texts, progress } = await opened();
    box('[data-filter=thinking]').click();
    await reply('list', { total: 0, complete: false, start: 0, rows: [] });
    expect(texts('.ft-rows-empty')).toEqual(['None so far.']);
    progress();
    box('[data-filter=truncated]').click();
    await reply('list', { total: 0, complete: false, start: 0, rows: [] });
    expect(texts('.ft-rows-empty')).toEqual(['Count all rows to find these.']);
    box('[data-filter=broken]').click();
    await reply('list', { total: 0, complete: true, start: 0, rows: [] });
    expect(texts('.ft-rows-empty')).toEqual(['No rows.']);
  });

  it('drops a reply to the one before', async () => {
    const { box, asked, model, texts, reply } = await opened();
    box('[data-filter=broken]').click();
    const old = asked('list')?.request;
    box('[data-filter=truncated]').click();
    model.say({ type: 'list', request: old, total: 1, complete: true, start: 0, rows: [aRow(9)] });
    await vi.advanceTimersByTimeAsync(0);
    expect(texts('.ft-row-text')).toEqual([]);
    await reply('list', { total: 1, complete: true, start: 0, rows: [aRow(3)] });
    expect(texts('.ft-row-text')).toEqual(['text of row 4']);
  });
});

describe('the pass', () => {
  it('fills in what was not known of the rows that can be seen', async () => {
    const { progress, asked, reply, texts, model } = await opened();
    model.sent.length = 0;
    progress({ scan: { state: 'running', done: 0 } });
    expect(asked('list')).toBeUndefined();
    progress({ scan: { state: 'running', done: 60 } });
    await reply('list', { ...aList(0, 1), rows: [aRow(0, { length: 8, trained: 2 })] });
    expect(texts('.ft-row-facts')[0]).toBe('18 tokens25% trained');
  });

  it('is not asked about rows that it has not reached', async () => {
    const { progress, asked, rows, box, key, model } = await opened();
    key(box('.ft-rows'), 'End');
    await rows();
    model.sent.length = 0;
    progress({ scan: { state: 'running', done: 40 } });
    expect(asked('list')).toBeUndefined();
    progress({ scan: { state: 'running', done: 60 } });
    expect(asked('list')).toMatchObject({ start: 50, stop: 100 });
  });

  it('is started and ended by buttons', async () => {
    const { el, progress, model, texts } = await opened();
    const press = (label: string): void =>
      [...el.querySelectorAll('.ft-job button')]
        .filter(button => button.textContent === label && !button.closest('[hidden]'))
        .forEach(button => (button as HTMLElement).click());
    progress();
    model.sent.length = 0;
    press('Count all');
    progress({ scan: { state: 'running', done: 25, seconds: 3 } });
    expect(texts('.ft-tools .ft-job-words')).toEqual(['25 of 100 rows (25%), about 9 s left']);
    press('Cancel');
    expect(model.sent.filter(({ type: name }) => name === 'scan')).toEqual([
      { type: 'scan', action: 'start' },
      { type: 'scan', action: 'cancel' },
    ]);
  });
});

describe('a search', () => {
  it('begins when the typing rests, and counts what it finds', async () => {
    const { box, model, texts, asked, progress, reply } = await opened();
    model.sent.length = 0;
    type(box('.ft-search'), 'bit');
    vi.advanceTimersByTime(PAUSE - 1);
    type(box('.ft-search'), ' bite ');
    vi.advanceTimersByTime(PAUSE - 1);
    expect(model.sent).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(model.sent[0]).toEqual({ type: 'search', text: 'bite' });
    expect(asked('list')).toMatchObject({ filter: null, search: true, start: 0 });
    expect(texts('.ft-tools .ft-found')).toEqual(['searching…']);
    await reply('list', { total: 0, complete: false, start: 0, rows: [] });
    progress({ search: { state: 'running' } }, { found: 1 });
    expect(texts('.ft-tools .ft-found')).toEqual(['searching… 1 found']);
    await reply('list', { total: 1, complete: false, start: 0, rows: [aRow(8)] });
    expect(texts('.ft-row-text')).toEqual(['text of row 9']);
    progress({ search: { state: 'done' } }, { found: 1234 });
    expect(texts('.ft-tools .ft-found')).toEqual(['1,234 found']);

    type(box('.ft-search'), '');
    vi.advanceTimersByTime(PAUSE);
    expect(model.sent.findLast(({ type: name }) => name === 'search')).toEqual({ type: 'search', text: '' });
    expect(asked('list')).toMatchObject({ search: false });
    expect(texts('.ft-tools .ft-found')).toEqual(['']);
  });

  it('begins at once with Enter, and its keys are its own', async () => {
    const { box, model, key, el } = await opened();
    const heard = vi.fn();
    el.addEventListener('keydown', heard);
    type(box('.ft-search'), 'bite');
    key(box('.ft-search'), 'Enter');
    expect(model.sent.findLast(({ type: name }) => name === 'search')).toEqual({
      type: 'search',
      text: 'bite',
    });
    expect(heard).not.toHaveBeenCalled();
  });

  it('is done again over other rows', async () => {
    const { box, model, key, state } = await opened();
    type(box('.ft-search'), 'bite');
    key(box('.ft-search'), 'Enter');
    model.sent.length = 0;
    state({ generation: 2 });
    expect(model.sent[0]).toEqual({ type: 'search', text: 'bite' });
  });
});

describe('a row by its number', () => {
  const two = aState({ rows: 100, datasets: [aDataset(40), aDataset(60)] });

  it.each([
    ['1', 0],
    [' 100 ', 99],
    ['1,00', 99],
    ['0', null],
    ['101', null],
    ['1:40', 39],
    ['1:41', null],
    ['2:1', 40],
    ['2: 60', 99],
    ['3:1', null],
    ['0:1', null],
    ['row', null],
    ['', null],
  ])('%j is place %j', (text, place) => expect(placeOf(text, two)).toBe(place));

  it('is opened with Enter, in the list of all rows', async () => {
    const { el, box, key, asked } = await opened();
    box('[data-filter=truncated]').click();
    type(box('.ft-go-to'), '42');
    key(box('.ft-go-to'), 'Enter');
    expect(asked('sample')).toMatchObject({ place: 41 });
    expect(asked('list')).toMatchObject({ filter: null });
    expect(chosen(el)).toEqual(['41']);
    expect((box('.ft-go-to') as HTMLInputElement).value).toBe('');
  });

  it('that there is not is said beside the field', async () => {
    const { box, key, asked } = await opened();
    const before = asked('sample');
    type(box('.ft-go-to'), '101');
    key(box('.ft-go-to'), 'Enter');
    expect((box('.ft-go-to') as HTMLInputElement).validationMessage).toBe('There is no row 101.');
    expect(asked('sample')).toBe(before);
  });
});
