import { describe, expect, it, vi } from 'vitest';

import { many, percent } from '../src/widgets/inspector/figures';
import type { Summary } from '../src/widgets/inspector/protocol';
import { summaryPanel } from '../src/widgets/inspector/summary';
import { FakeInspector, aJob, show, someProgress } from './a_panel';
import { aState } from './a_set';
import { buttons, one, press, text } from './fake_model';

function aSummary(change: Partial<Summary> = {}): Summary {
  return {
    samples: 104,
    tokens: 2080,
    trained: 520,
    kept: 100,
    longest: 90,
    edges: [0, 32, 64, 96],
    counts: [80, 20, 4],
    roles: [
      { role: 'user', tokens: 1000, trained: 0 },
      { role: 'assistant', tokens: 500, trained: 450 },
    ],
    dropped: [{ reason: 'longer than sequence_len', samples: 4 }],
    fill: 0.98,
    packed_rows: 32,
    ...change,
  };
}

function open(state = aState({ sequence_len: 64 })) {
  const inspector = new FakeInspector();
  const panel = show(summaryPanel(inspector));
  // jsdom lays nothing out: a chart without a width is not drawn.
  Object.defineProperty(one(panel.element, '.ft-lengths-chart'), 'clientWidth', { value: 400 });
  panel.showState(state);
  return { inspector, panel, el: panel.element };
}

function tiles(el: HTMLElement): string[][] {
  return [...el.querySelectorAll('.ft-summary-tile')].map(tile =>
    [...tile.children].map(part => part.textContent ?? ''),
  );
}

function rows(el: HTMLElement, table: number): (string | null)[][] {
  return [...(el.querySelectorAll('table')[table]?.querySelectorAll('tbody tr') ?? [])].map(row => [
    ...[...row.children].map(cell => cell.textContent),
    row.querySelector<HTMLElement>('.ft-table-bar')?.style.width ?? null,
    row.querySelector<HTMLElement>('.ft-table-filled')?.style.width ?? null,
  ]);
}

describe('figures', () => {
  it.each([
    [0, 10, '0%'],
    [1, 8, '12.5%'],
    [1, 3, '33.3%'],
    [1, 200, '0.5%'],
    [1, 2000, '<0.1%'],
    [1999, 2000, '>99.9%'],
    [10, 10, '100%'],
    [0, 0, '–'],
  ])('%d of %d is %s', (part, of, written) => expect(percent(part, of)).toBe(written));

  it.each([
    [0, '0 rows'],
    [1, '1 row'],
    [1234, '1,234 rows'],
  ])('%d is %s', (count, written) => expect(many(count, 'row')).toBe(written));
});

describe('the summary', () => {
  it('says that nothing is counted, and lets the reader count', () => {
    const { el, panel, inspector } = open();
    panel.showProgress(someProgress());
    expect(text(el, '.ft-job-words')).toBe('Nothing is counted yet.');
    expect(one(el, '.ft-summary-content').hidden).toBe(true);
    expect(buttons(el)).toEqual(['Count the set']);
    press(el, 'Count the set');
    expect(inspector.tell).toHaveBeenCalledWith({ type: 'scan', action: 'start' });
  });

  it.each([
    [aJob('running', 25), '25 of 100 rows (25%), about 30 s left', ['Cancel']],
    [aJob('running', 0, { seconds: 2 }), '0 of 100 rows (0%)', ['Cancel']],
    [aJob('running', 5, { seconds: 0.9 }), '5 of 100 rows (5%)', ['Cancel']],
    [aJob('done', 100), 'All of 100 rows, in 10 s.', []],
    [aJob('done', 100, { seconds: 0.4 }), 'All of 100 rows, in under 1 s.', []],
    [aJob('cancelled', 40), 'Ended after 40 of 100 rows.', ['Start again']],
    [aJob('failed', 4, { message: 'No such file.' }), 'No such file.', ['Start again']],
  ])('tells how the pass goes: %j', (scan, words, offered) => {
    const { el, panel } = open();
    panel.showProgress(someProgress({ jobs: { scan } }));
    expect(text(el, '.ft-job-words')).toBe(words);
    expect(buttons(one(el, '.ft-job'))).toEqual(offered);
    expect(one(el, '[role=progressbar]').hidden).toBe(scan.state !== 'running');
    expect(one(el, '[role=progressbar]').getAttribute('aria-valuenow')).toBe(String(scan.done));
  });

  it('keeps the focus on the button that takes the place of the one pressed', () => {
    const { el, panel, inspector } = open();
    panel.showProgress(someProgress());
    const [start, cancel] = [...el.querySelectorAll<HTMLElement>('.ft-job button')];
    start?.focus();
    panel.showProgress(someProgress({ jobs: { scan: aJob('running', 1) } }));
    expect(document.activeElement).toBe(cancel);
    press(el, 'Cancel');
    expect(inspector.tell).toHaveBeenCalledWith({ type: 'scan', action: 'cancel' });
  });

  it('shows the set in figures', () => {
    const { el, panel } = open();
    panel.showProgress(someProgress({ summary: aSummary() }));
    expect(tiles(el)).toEqual([
      ['samples', '104', 'from 100 rows'],
      ['kept', '100', '4 left out'],
      ['tokens', '2,080', '20 a sample'],
      ['trained', '25%', '520 tokens'],
      ['longest', '90', 'sequence_len 64'],
      ['packing fill', '98%', '32 packed rows'],
    ]);
    expect(rows(el, 0)).toEqual([
      ['user', '1,000', '', '0%', '100%', '0%'],
      ['assistant', '500', '', '90%', '50%', '90%'],
    ]);
    expect(rows(el, 1)).toEqual([['longer than sequence_len', '4', '', '3.8%', '100%', '0%']]);
  });

  it('of a set without packing, and with nothing left out', () => {
    const { el, panel } = open();
    const summary = aSummary({
      tokens: 1_234_567_890,
      kept: 104,
      dropped: [],
      fill: null,
      packed_rows: null,
    });
    panel.showProgress(someProgress({ summary }));
    expect(tiles(el)[1]).toEqual(['kept', '104', 'all of them']);
    expect(tiles(el)[2]).toEqual(['tokens', '1.23 B', '11,870,845 a sample']);
    expect(tiles(el)[5]).toEqual(['packing fill', '–', 'nothing is packed']);
    expect(el.querySelectorAll('table')[1]?.hidden).toBe(true);
    expect(text(el, '.ft-summary-tables .ft-note')).toBe('Training leaves out no sample.');
  });

  it('forgets the figures of other settings', () => {
    const { el, panel } = open();
    panel.showProgress(someProgress({ summary: aSummary() }));
    expect(one(el, '.ft-summary-content').hidden).toBe(false);
    panel.showState(aState({ generation: 2 }));
    expect(one(el, '.ft-summary-content').hidden).toBe(true);
  });
});

describe('the histogram', () => {
  it('has a bar for each length, those over sequence_len hatched, and a line there', async () => {
    const { panel, inspector, el } = open();
    panel.showProgress(someProgress({ summary: aSummary() }));
    await vi.advanceTimersByTimeAsync(0);
    const [, traces, layout] = inspector.library.react.mock.lastCall ?? [];
    const bars = traces?.[0] as {
      x: number[];
      y: number[];
      width: number[];
      customdata: string[];
      marker: { pattern: { shape: string[] } };
    };
    expect(bars).toMatchObject({
      type: 'bar',
      x: [16, 48, 80],
      y: [80, 20, 4],
      width: [32, 32, 32],
      customdata: ['0 to 31 tokens', '32 to 63 tokens', '64 to 95 tokens'],
    });
    expect(bars.marker.pattern.shape).toEqual(['', '', '/']);
    expect(layout).toMatchObject({
      shapes: [{ x0: 64, x1: 64 }],
      annotations: [{ x: 64, text: 'sequence_len 64' }],
      yaxis: { type: 'linear' },
    });
    expect(one(el, '.ft-lengths-chart').getAttribute('aria-label')).toBe(
      'Histogram of the lengths of 104 samples, from 0 to 95 tokens; most of them, 76.9%, have 0 to 31.',
    );
  });

  it('is drawn again only where it changed', async () => {
    const { panel, inspector } = open();
    panel.showProgress(someProgress({ summary: aSummary() }));
    await vi.advanceTimersByTimeAsync(0);
    const before = inspector.library.react.mock.calls.length;
    panel.showProgress(someProgress({ summary: aSummary({ trained: 600 }) }));
    const same = inspector.library.react.mock.calls.length;
    panel.showProgress(someProgress({ summary: aSummary({ counts: [81, 20, 4] }) }));
    expect([same - before, inspector.library.react.mock.calls.length - before]).toEqual([0, 1]);
  });

  it('can have a log scale', async () => {
    const { panel, inspector, el } = open();
    panel.showProgress(someProgress({ summary: aSummary() }));
    await vi.advanceTimersByTimeAsync(0);
    press(el, 'log scale');
    expect(one(el, '.ft-log-scale').getAttribute('aria-pressed')).toBe('true');
    expect(inspector.library.react.mock.lastCall?.[2]).toMatchObject({ yaxis: { type: 'log' } });
  });

  it('says where sequence_len is, when that is far away', async () => {
    const { panel, inspector, el } = open(aState({ sequence_len: 4096 }));
    panel.showProgress(someProgress({ summary: aSummary() }));
    await vi.advanceTimersByTimeAsync(0);
    expect(inspector.library.react.mock.lastCall?.[2]).toMatchObject({ shapes: [], annotations: [] });
    expect(text(el, '.ft-lengths .ft-note')).toBe('sequence_len (4,096) is far beyond the longest sample.');
  });

  it('follows the theme, and leaves with the panel', async () => {
    const inspector = new FakeInspector();
    const root = document.createElement('div');
    root.className = 'ft-root';
    document.body.append(root);
    const panel = summaryPanel(inspector);
    // The numbers are there before anybody looks at them.
    panel.showState(aState());
    panel.showProgress(someProgress({ summary: aSummary() }));
    root.append(panel.element);
    Object.defineProperty(one(root, '.ft-lengths-chart'), 'clientWidth', { value: 400, configurable: true });
    panel.shown?.();
    await vi.advanceTimersByTimeAsync(0);
    const before = inspector.library.react.mock.calls.length;
    // JupyterLab hides everything while its theme changes.
    const chart = one(root, '.ft-lengths-chart');
    Object.defineProperty(chart, 'clientWidth', { value: 0, configurable: true });
    root.dataset.ftTheme = 'dark';
    await vi.advanceTimersByTimeAsync(0);
    expect(inspector.library.react.mock.calls.length).toBe(before);
    Object.defineProperty(chart, 'clientWidth', { value: 400, configurable: true });
    await vi.advanceTimersByTimeAsync(20);
    expect(inspector.library.react.mock.calls.length).toBe(before + 1);
    panel.destroy?.();
    expect(inspector.library.purge).toHaveBeenCalledTimes(1);
  });

  it('says why there is none', async () => {
    const { panel, inspector, el } = open();
    inspector.plotly = () => Promise.reject(new Error('the page does not allow scripts from the kernel'));
    panel.showProgress(someProgress({ summary: aSummary() }));
    await vi.advanceTimersByTimeAsync(0);
    expect(text(el, '.ft-lengths .ft-note')).toBe(
      'There is no histogram: the page does not allow scripts from the kernel.',
    );
  });
});
