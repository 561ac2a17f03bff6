import { afterEach, describe, expect, it, vi } from 'vitest';

import { PATIENCE } from '../src/widgets/inspector';
import { anInspector } from './an_inspector';
import { press } from './fake_model';

afterEach(() => vi.restoreAllMocks());

describe('an inspector', () => {
  it('says hello, and after 3 seconds what it waits for', () => {
    const { model, texts, state } = anInspector();
    expect(model.sent).toEqual([{ type: 'hello' }]);
    expect(texts('.ft-ins-head .ft-chip')).toEqual(['connecting…']);
    vi.advanceTimersByTime(PATIENCE);
    expect(texts('.ft-trouble')).toEqual(['waiting for the kernel']);
    state();
    expect(texts('.ft-trouble')).toEqual([]);
  });

  it('lists rows while the tokenizer is being loaded, and asks for the sample again when it is', async () => {
    const { texts, state, rows, refuse, asked, model } = anInspector();
    state({ status: 'opening', message: 'Loading the tokenizer.' });
    expect(texts('.ft-ins-head .ft-chip')).toEqual(['opening…']);
    expect(texts('.ft-trouble')).toEqual(['Loading the tokenizer.']);
    await rows();
    expect(texts('.ft-row-text')[0]).toBe('text of row 1');
    await refuse('sample', 'The tokenizer is not here yet.');
    model.sent.length = 0;
    state({ status: 'ready' });
    expect(asked('sample')).toMatchObject({ place: 0 });
  });

  it('says what failed, and asks for nothing', () => {
    const { texts, state, model } = anInspector();
    state({ status: 'failed', message: 'There is no data.', fix: 'Name a file.', rows: 0 });
    expect(texts('.ft-ins-head .ft-chip')).toEqual(['failed']);
    expect(texts('.ft-trouble')).toEqual(['There is no data. Name a file.']);
    expect(model.sent).toEqual([{ type: 'hello' }]);
  });

  it('lists rows without a tokenizer', async () => {
    const { state, rows, texts, asked } = anInspector();
    state({ status: 'opening' });
    await rows();
    state({ status: 'failed', message: 'There is no tokenizer.' });
    expect(texts('.ft-row-text')[0]).toBe('text of row 1');
    expect(texts('.ft-trouble')).toEqual(['There is no tokenizer.']);
    expect(asked('list')).toMatchObject({ start: 0, stop: 50 });
  });

  it('is about a set', () => {
    const { texts, state } = anInspector();
    state({ rows: 1234, packing: true });
    expect(texts('.ft-ins-title')).toEqual(['cynic']);
    expect(texts('.ft-ins-about')).toEqual([
      '1,234 rows · SmolLM2-135M-Instruct · sequence_len 2,048 · packed',
    ]);
  });

  it('opens where it was left', () => {
    const { el, state, asked } = anInspector({ place: 41, tab: 'findings', mode: 'ids' });
    state();
    expect(asked('sample')).toMatchObject({ place: 41 });
    expect(el.querySelector('[role=tab][aria-selected=true]')?.textContent).toBe('Findings');
    expect(el.querySelector('.ft-segments [aria-pressed=true]')?.textContent).toBe('IDs');
  });

  it('opens at the last row where there are fewer now', () => {
    const { state, asked } = anInspector({ place: 41 });
    state({ rows: 10 });
    expect(asked('sample')).toMatchObject({ place: 9 });
  });

  it('keeps what was chosen in its traits', () => {
    const { el, state, model, box, key } = anInspector();
    state();
    key(box('.ft-rows'), 'ArrowDown');
    press(el, 'Packing');
    expect(model.saved.at(-1)).toEqual({ place: 1, tab: 'packing', mode: 'tokens' });
    expect(model.saved).toHaveLength(2);
  });

  it('hears nothing after it is left', () => {
    const { leave, state, model, texts } = anInspector();
    leave();
    state();
    vi.advanceTimersByTime(PATIENCE);
    expect(model.sent).toEqual([{ type: 'hello' }]);
    expect(texts('.ft-trouble')).toEqual([]);
  });
});

describe('tabs', () => {
  it('are moved in by keys, and one is seen', () => {
    const { el, key } = anInspector();
    const tab = (): HTMLElement => el.querySelector('[role=tab][aria-selected=true]') as HTMLElement;
    const names: unknown[] = [];
    for (const each of ['ArrowRight', 'ArrowRight', 'End', 'ArrowRight', 'ArrowLeft', 'Home']) {
      key(tab(), each);
      names.push(tab().textContent);
      expect(document.activeElement).toBe(tab());
    }
    expect(names).toEqual(['Summary', 'Findings', 'Packing', 'Rows', 'Packing', 'Rows']);
    const seen = [...el.querySelectorAll('[role=tabpanel]')].filter(panel => !panel.hasAttribute('hidden'));
    expect(seen.map(panel => panel.id)).toEqual([tab().getAttribute('aria-controls')]);
    expect([...el.querySelectorAll<HTMLElement>('[role=tab]')].map(({ tabIndex }) => tabIndex)).toEqual([
      0, -1, -1, -1,
    ]);
  });
});

describe('what opens under a sample', () => {
  it('asks the kernel only while it is open', async () => {
    const { el, state, chat, asked, key, box } = anInspector();
    state();
    await chat();
    expect(asked('parity')).toBeUndefined();
    press(el, 'Prompt parity');
    await vi.advanceTimersByTimeAsync(1000);
    expect(asked('parity')).toMatchObject({ place: 0 });
    press(el, 'Prompt parity');
    key(box('.ft-rows'), 'ArrowDown');
    await chat();
    await vi.advanceTimersByTimeAsync(1000);
    expect(asked('parity')).toMatchObject({ place: 0 });
  });
});
