import { describe, expect, it, vi } from 'vitest';

import { DIFFERENCE, REST, lossStep, lossWords, lossesPanel } from '../src/widgets/inspector/losses';
import { FakeInspector, float32, show, texts } from './a_panel';
import { aState } from './a_set';
import { buttons, one, press, text } from './fake_model';

function open(models = ['tuned', 'base']) {
  const inspector = new FakeInspector();
  const onLosses = vi.fn((_values: Float32Array | null, _model: string) => undefined);
  const panel = show(lossesPanel(inspector, onLosses));
  panel.showState(aState({ models }));
  panel.showSample(4, 1);
  return { inspector, panel, onLosses, el: panel.element };
}

/** Losses of both models are asked for and come. */
async function answered() {
  const opened = open();
  press(opened.el, 'Show losses');
  vi.advanceTimersByTime(0);
  const about = { place: 4, sample: 1 };
  const [tuned, base] = [float32([NaN, 0.5, 1.5, 4]), float32([NaN, 0.25, 4.75, 0.5])];
  await opened.inspector.last.reply({ ...about, models: ['tuned'], means: [1] }, [tuned]);
  await vi.advanceTimersByTimeAsync(0);
  await opened.inspector.last.reply({ ...about, models: ['base'], means: [2.5] }, [base]);
  await vi.advanceTimersByTimeAsync(0);
  return opened;
}

function rows(el: HTMLElement): (string | null)[][] {
  return [...el.querySelectorAll('tbody tr')].map(row => [...row.children].map(cell => cell.textContent));
}

describe('a loss', () => {
  it.each([
    [NaN, 'tuned', '', 'no loss'],
    [0, 'tuned', '0', 'loss 0 (tuned), 100% likely'],
    [0.2, 'base', '1', 'loss 0.200 (base), 82% likely'],
    [2.302, 'tuned', '2', 'loss 2.302 (tuned), 10% likely'],
    [2.304, 'tuned', '3', 'loss 2.304 (tuned), 10% likely'],
    [5, 'tuned', '4', 'loss 5.000 (tuned), 0.67% likely'],
    [12, 'tuned', '5', 'loss 12.000 (tuned), 6e-4% likely'],
    [NaN, DIFFERENCE, '', 'no loss'],
    [0.0001, DIFFERENCE, 'same', 'as likely as before tuning'],
    [0.05, DIFFERENCE, 'same', '0.0500 nats better than base'],
    [0.5, DIFFERENCE, 'better-1', '0.500 nats better than base'],
    [-1, DIFFERENCE, 'worse-2', '1.000 nats worse than base'],
    [-9, DIFFERENCE, 'worse-3', '9.000 nats worse than base'],
  ])('of %d, %s, is %j: %s', (value, model, step, words) => {
    expect(lossStep(value, model)).toBe(step);
    expect(lossWords(value, model)).toBe(words);
  });
});

describe('losses', () => {
  it('need a model', () => {
    const { el } = open([]);
    expect(buttons(el)).toEqual([]);
    expect(text(el, '.ft-note')).toBe(
      'There is no model to ask: losses come from a run that has saved a checkpoint.',
    );
  });

  it('are computed when the reader asks, and say how long that takes', () => {
    const { el, inspector } = open();
    vi.advanceTimersByTime(REST);
    expect(inspector.asked).toEqual([]);
    press(el, 'Show losses');
    vi.advanceTimersByTime(0);
    expect(inspector.asked).toEqual([['losses', { place: 4, sample: 1, models: ['tuned'] }]]);
    expect(text(el, '[role=status]')).toBe('computing');
    vi.advanceTimersByTime(61_000);
    expect(text(el, '[role=status]')).toBe('computing, 1 min 01 s; a first time loads the model');
  });

  it('are given to the tokens, with their means, and the difference of the models', async () => {
    const { el, onLosses } = await answered();
    expect(rows(el)).toEqual([
      ['tuned', '1.000', '2.718'],
      ['base', '2.500', '12.182'],
      ['base − tuned', '+1.500', ''],
    ]);
    expect(onLosses).toHaveBeenLastCalledWith(Float32Array.from([NaN, 0.5, 1.5, 4]), 'tuned');
    expect(text(el, '[role=status]')).toBe('');
    el.querySelectorAll<HTMLInputElement>('input[type=radio]')[2]?.click();
    expect(onLosses).toHaveBeenLastCalledWith(Float32Array.from([NaN, -0.25, 3.25, -3.5]), DIFFERENCE);
    expect([...el.querySelectorAll<HTMLElement>('i[data-loss]')].map(sign => sign.dataset.loss)).toEqual([
      'worse-3',
      'worse-2',
      'worse-1',
      'same',
      'better-1',
      'better-2',
      'better-3',
    ]);
    expect(texts(el, '.ft-losses-worst button')).toEqual([
      'token 3 (-3.500)',
      'token 2 (+3.250)',
      'token 1 (-0.250)',
    ]);
  });

  it('name the worst tokens, and open them', async () => {
    const { el, inspector } = await answered();
    expect(texts(el, '.ft-losses-worst button')).toEqual([
      'token 3 (4.000)',
      'token 2 (1.500)',
      'token 1 (0.500)',
    ]);
    expect(texts(el, '.ft-panel-legend span')).toEqual([
      'The model found the token likely by:',
      'over 90%',
      'over 50%',
      'over 10%',
      'over 1%',
      'over 0.1%',
      'less',
    ]);
    press(el, 'token 2 (1.500)');
    expect(inspector.open).toHaveBeenCalledWith(4, 1, 2);
  });

  it('are asked for again for the next sample, and leave this one at once', async () => {
    const { inspector, panel, onLosses, el } = await answered();
    panel.showSample(5, 0);
    expect(onLosses).toHaveBeenLastCalledWith(null, '');
    expect(one(el, '.ft-losses-results').hidden).toBe(true);
    vi.advanceTimersByTime(REST);
    expect(inspector.asked.slice(1)).toEqual([
      ['losses', { place: 4, sample: 1, models: ['base'] }],
      ['losses', { place: 5, sample: 0, models: ['tuned'] }],
    ]);
  });

  it('stay where the same sample is shown again, unless its settings changed', async () => {
    const { inspector, panel, onLosses } = await answered();
    onLosses.mockClear();
    panel.showSample(4, 1);
    expect(onLosses).not.toHaveBeenCalled();
    panel.shown?.();
    expect(onLosses).toHaveBeenLastCalledWith(Float32Array.from([NaN, 0.5, 1.5, 4]), 'tuned');
    panel.showState(aState({ generation: 2, models: ['tuned', 'base'] }));
    panel.showSample(4, 1);
    vi.advanceTimersByTime(REST);
    expect(inspector.questions).toHaveLength(3);
  });

  it('of a sample that was left are dropped', async () => {
    const { inspector, panel, onLosses, el } = open();
    press(el, 'Show losses');
    vi.advanceTimersByTime(0);
    const first = inspector.last;
    panel.showSample(5, 0);
    onLosses.mockClear();
    await first.reply({ place: 4, sample: 1, models: ['tuned'], means: [1] }, [float32([1])]);
    expect(onLosses).not.toHaveBeenCalled();
    expect(inspector.questions).toHaveLength(1);
  });

  it('of one model have no difference', async () => {
    const { el, inspector, onLosses } = open();
    one(el, 'input[value=tuned]').click();
    press(el, 'Show losses');
    vi.advanceTimersByTime(0);
    expect(inspector.last.request).toEqual({ place: 4, sample: 1, models: ['base'] });
    await inspector.last.reply({ place: 4, sample: 1, models: ['base'], means: [NaN] }, [float32([NaN])]);
    await vi.advanceTimersByTimeAsync(0);
    expect(rows(el)).toEqual([['base', '–', '–']]);
    expect(onLosses).toHaveBeenLastCalledWith(Float32Array.from([NaN]), 'base');
    expect(texts(el, '.ft-losses-worst button')).toEqual([]);
  });

  it('need one model at least', () => {
    const { el, inspector } = open(['base']);
    one(el, 'input[value=base]').click();
    press(el, 'Show losses');
    vi.advanceTimersByTime(0);
    expect(inspector.asked).toEqual([]);
    expect(text(el, '[role=status]')).toBe('Choose a model.');
  });

  it('are hidden again', async () => {
    const { el, onLosses, inspector, panel } = await answered();
    press(el, 'Hide losses');
    expect(onLosses).toHaveBeenLastCalledWith(null, '');
    expect(buttons(el)).toEqual(['Show losses']);
    panel.showSample(5, 0);
    vi.advanceTimersByTime(REST);
    expect(inspector.questions).toHaveLength(2);
  });

  it('may be refused', async () => {
    const { el, inspector, onLosses } = open();
    press(el, 'Show losses');
    vi.advanceTimersByTime(0);
    await inspector.last.refuse({ message: 'The GPU is full.', fix: 'Close the chat.' });
    expect(text(el, '[role=status]')).toBe('The GPU is full. Close the chat.');
    expect(onLosses).toHaveBeenLastCalledWith(null, '');
    expect(buttons(el)).toEqual(['Show losses']);
    vi.advanceTimersByTime(5000);
    expect(text(el, '[role=status]')).toBe('The GPU is full. Close the chat.');
  });
});
