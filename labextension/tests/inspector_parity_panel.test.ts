import { describe, expect, it } from 'vitest';

import { align } from '../src/widgets/inspector/alignment';
import { parityPanel } from '../src/widgets/inspector/parity';
import type { ParityTurn } from '../src/widgets/inspector/protocol';
import { FakeInspector, aJob, show, someProgress, texts } from './a_panel';
import { aState } from './a_set';
import { buttons, one, press, text } from './fake_model';

function aTurn(turn: number, change: Partial<ParityTurn> = {}): ParityTurn {
  const none = { ids: [], texts: [] };
  return {
    turn,
    equal: true,
    at: null,
    from: 0,
    training: none,
    prompt: none,
    cause: '',
    fix: '',
    ...change,
  };
}

/** Chat writes a BOS that training has not. */
const DIFFERENT = aTurn(3, {
  equal: false,
  at: 7,
  from: 6,
  training: { ids: [5, 9], texts: ['a', ' b'] },
  prompt: { ids: [5, 1, 9], texts: ['a', '<s>', ' b'] },
  cause: 'Chat writes a second BOS.',
  fix: 'Set chat_template: llama3.',
});

function open() {
  const inspector = new FakeInspector();
  const panel = show(parityPanel(inspector));
  panel.showState(aState());
  return { inspector, panel, el: panel.element };
}

describe('two rows of tokens', () => {
  const column = (left: number | null, right: number | null, equal = false) => ({ left, right, equal });
  it.each([
    ['equal', [1, 2], [1, 2], [column(0, 0, true), column(1, 1, true)]],
    ['one more', [1, 2], [1, 9, 2], [column(0, 0, true), column(null, 1), column(1, 2, true)]],
    ['one less', [1, 9, 2], [1, 2], [column(0, 0, true), column(1, null), column(2, 1, true)]],
    ['another', [1, 8, 2], [1, 9, 2], [column(0, 0, true), column(1, 1), column(2, 2, true)]],
    ['a longer end', [1], [1, 3, 4], [column(0, 0, true), column(null, 1), column(null, 2)]],
    ['two for one', [7, 8, 2], [9, 2], [column(0, 0), column(1, null), column(2, 1, true)]],
    ['nothing beside something', [], [4], [column(null, 0)]],
    ['nothing', [], [], []],
  ])('are aligned: %s', (_, left, right, columns) => expect(align(left, right)).toEqual(columns));
});

describe('parity', () => {
  it('says where all turns are equal', async () => {
    const { inspector, panel, el } = open();
    panel.showSample(4, 0);
    expect(inspector.asked).toEqual([['parity', { place: 4 }]]);
    expect(el.getAttribute('aria-busy')).toBe('true');
    await inspector.last.reply({ place: 4, turns: [aTurn(1), aTurn(3)], message: '', fix: '' });
    expect(el.hasAttribute('aria-busy')).toBe(false);
    expect(text(el, '.ft-parity-verdict')).toBe('Chat asks as training teaches, in all 2 turns.');
    expect(texts(el, '.ft-parity-turns li')).toEqual(['turn 2equal', 'turn 4equal']);
    expect(el.querySelectorAll('.ft-parity-turns svg')).toHaveLength(2);
  });

  it('shows the first difference, its cause and its fix', async () => {
    const { inspector, panel, el } = open();
    panel.showSample(4, 1);
    await inspector.last.reply({
      place: 4,
      turns: [aTurn(1), DIFFERENT, { ...DIFFERENT, turn: 5 }],
      message: '',
      fix: '',
    });
    expect(text(el, '.ft-parity-verdict')).toBe('Chat will ask otherwise in 2 of 3 turns.');
    const [first, second] = [...el.querySelectorAll('details')];
    expect([first?.open, second?.open]).toEqual([true, false]);
    if (!first) {
      throw new Error('no turn differs');
    }
    expect(text(first, '.ft-parity-cause')).toBe('Chat writes a second BOS.');
    expect(text(first, 'caption')).toBe('from token 6, the first difference at 7');
    const cells = [...first.querySelectorAll('tr')].map(row =>
      [...row.children].map(cell => cell.textContent),
    );
    expect(cells).toEqual([
      ['', '', '▼', ''],
      ['training', 'a5', 'nothing', '·b9'],
      ['chat', 'a5', '<s>1different', '·b9'],
    ]);
    expect(first.querySelectorAll('[data-first]')).toHaveLength(2);
    expect(text(first, '.ft-advice code')).toBe('chat_template: llama3');
    press(first, 'Show in the sample');
    expect(inspector.open).toHaveBeenCalledWith(4, 1, 7);
  });

  it('says why there is nothing to compare', async () => {
    const { inspector, panel, el } = open();
    panel.showSample(4, 0);
    await inspector.last.reply({
      place: 4,
      turns: [],
      message: 'The row is plain text.',
      fix: 'Use a chat.',
    });
    expect(text(el, '.ft-parity-verdict')).toBe('The row is plain text. Use a chat.');
    expect(el.querySelectorAll('.ft-parity-turns li')).toHaveLength(0);
  });

  it('waits until it is looked at', () => {
    const { inspector, panel, el } = open();
    const drawer = document.createElement('div');
    drawer.hidden = true;
    document.body.append(drawer);
    drawer.append(el);
    panel.showSample(4, 0);
    expect(inspector.asked).toEqual([]);
    drawer.hidden = false;
    panel.shown?.();
    panel.shown?.();
    expect(inspector.asked).toEqual([['parity', { place: 4 }]]);
  });

  it('shows the newest sample, whichever answer comes last', async () => {
    const { inspector, panel, el } = open();
    panel.showSample(4, 0);
    panel.showSample(5, 0);
    const [first, second] = inspector.questions;
    await second?.reply({ place: 5, turns: [aTurn(1)], message: '', fix: '' });
    await first?.reply({ place: 4, turns: [DIFFERENT], message: '', fix: '' });
    expect(text(el, '.ft-parity-verdict')).toBe('Chat asks as training teaches, in the one turn.');
  });

  it('asks again for the same sample only where its settings changed', () => {
    const { inspector, panel } = open();
    panel.showSample(4, 0);
    panel.showSample(4, 0);
    expect(inspector.questions).toHaveLength(1);
    panel.showState(aState({ generation: 2 }));
    panel.showSample(4, 0);
    expect(inspector.questions).toHaveLength(2);
  });

  it('shows what the kernel refuses', async () => {
    const { inspector, panel, el } = open();
    panel.showSample(4, 0);
    await inspector.last.refuse({ message: 'The template is broken.', fix: 'Mend it.' });
    expect(text(el, '.ft-parity-verdict')).toBe('The template is broken. Mend it.');
  });

  it('makes hostile tokens visible as text', async () => {
    const { inspector, panel, el } = open();
    const side = { ids: [1], texts: ['<b>\u202e\u0000'] };
    panel.showSample(4, 0);
    await inspector.last.reply({
      place: 4,
      turns: [aTurn(1, { equal: false, at: 0, training: side, prompt: { ids: [], texts: [] } })],
      message: '',
      fix: '',
    });
    expect(text(el, 'bdi')).toBe('<b>‹U+202E›␀');
    expect(el.querySelectorAll('b')).toHaveLength(0);
  });
});

describe('parity of the whole set', () => {
  it.each([
    [aJob('idle'), 0, true, ''],
    [aJob('running', 40), 0, false, 'The prompt is the same in all rows so far.'],
    [aJob('running', 40), 3, false, 'The prompt differs in 3 rows so far.'],
    [aJob('done', 100), 1, false, 'The prompt differs in 1 row.'],
    [aJob('done', 100), 0, false, 'The prompt is the same in all rows.'],
  ])('is counted: %j, %d', (parity, differ, hidden, words) => {
    const { panel, el, inspector } = open();
    panel.showProgress(someProgress({ jobs: { parity }, counts: { prompt_differs: differ } }));
    const result = one(el, '.ft-parity-count');
    expect(result.hidden).toBe(hidden);
    if (!hidden) {
      expect(result.firstElementChild?.textContent).toBe(words);
      expect(buttons(result)).toEqual(differ ? ['Show rows'] : []);
    }
    if (differ) {
      press(result, 'Show rows');
      expect(inspector.filter).toHaveBeenCalledWith('prompt_differs');
    }
  });

  it('is started and ended', () => {
    const { panel, el, inspector } = open();
    press(el, 'Check the whole set');
    expect(inspector.tell).toHaveBeenLastCalledWith({ type: 'parity_all', action: 'start' });
    panel.showProgress(someProgress({ jobs: { parity: aJob('running', 1) } }));
    press(el, 'Cancel');
    expect(inspector.tell).toHaveBeenLastCalledWith({ type: 'parity_all', action: 'cancel' });
  });

  it('is not offered where no row is a chat', () => {
    const { panel, el } = open();
    panel.showState(aState({ chat: false }));
    expect(one(el, '.ft-parity-set').hidden).toBe(true);
  });
});
