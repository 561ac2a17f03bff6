import { afterEach, describe, expect, it, vi } from 'vitest';

import { lossStep, lossWords } from '../src/widgets/inspector/losses';
import { samplePane } from '../src/widgets/inspector/sample';
import { CHAT, CHAT_SPANS, FLAGS, aSample, aState, page, span } from './a_set';
import { anInspector, type } from './an_inspector';
import { press } from './fake_model';

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

async function opened(change = {}, traits = {}) {
  const inspector = anInspector(traits);
  inspector.state();
  await inspector.rows();
  await inspector.chat(change);
  return inspector;
}

describe('the head of a sample', () => {
  it('says which row it is, what it holds and what training does with it', async () => {
    const { texts } = await opened();
    expect(texts('.ft-sample-title')).toEqual(['Row 1']);
    expect(texts('.ft-sample-from')).toEqual(['data/cynic.jsonl']);
    expect(texts('.ft-sample-facts > *')).toEqual(['10 tokens', '3 trained (30%)', 'kept']);
  });

  it('says what was cut and why it is left out, and shows its flags, which are filters', async () => {
    const { texts, box, asked } = await opened({
      cut: 1200,
      dropped: 'no token is trained',
      flags: ['truncated'],
    });
    expect(texts('.ft-sample-facts > *')).toEqual([
      '10 tokens',
      '3 trained (30%)',
      '1,200 cut off its end',
      'left out: no token is trained',
      'Truncated',
    ]);
    box('.ft-flag-button').click();
    expect(asked('list')).toMatchObject({ filter: 'truncated' });
  });

  it('goes through the samples of a row, and through rows', async () => {
    const { box, asked, texts, chat } = await opened({ samples: 3 });
    expect(texts('.ft-sample-count')).toEqual(['sample 1 of 3']);
    const steps = box('.ft-sample-head').querySelectorAll('button');
    const [before, after, earlier, later] = [...steps];
    earlier?.click();
    expect(asked('sample')).toMatchObject({ place: 0, sample: 2 });
    await chat({ samples: 3 });
    later?.click();
    expect(asked('sample')).toMatchObject({ place: 0, sample: 0 });
    after?.click();
    expect(asked('sample')).toMatchObject({ place: 1, sample: 0 });
    before?.click();
    expect(asked('sample')).toMatchObject({ place: 0, sample: 0 });
  });

  it('says why a row is no sample', async () => {
    const { texts } = await opened({
      error: 'Message 2 has no content.',
      fix: 'Give it one.',
      length: 0,
      spans: [],
    });
    expect(texts('.ft-sample .ft-trouble')).toEqual(['Message 2 has no content. Give it one.']);
    expect(texts('.ft-sample-facts > *')).toEqual([]);
    expect(texts('.ft-token[data-token]')).toEqual([]);
    expect(texts('.ft-segments, .ft-legend, .ft-find')).toEqual([]);
    expect(texts('.ft-raw-text')).toEqual(['{"a": 1}']);
  });

  it('says why the kernel gives none, and forgets it with the next', async () => {
    const { texts, box, refuse, chat, key } = await opened();
    key(box('.ft-rows'), 'ArrowDown');
    await refuse('sample', 'The file is gone.');
    expect(texts('.ft-sample .ft-trouble')).toEqual(['The file is gone.']);
    expect(texts('.ft-sample-title')).toEqual(['Row 2']);
    expect(texts('.ft-token[data-token]')).toEqual([]);
    key(box('.ft-rows'), 'ArrowDown');
    await chat();
    expect(texts('.ft-sample .ft-trouble')).toEqual([]);
    expect(texts('.ft-sample-title')).toEqual(['Row 3']);
  });
});

describe('tokens', () => {
  it('are boxes of a grid, and say what they are without colour', async () => {
    const { texts, box } = await opened();
    expect(texts('.ft-token[data-token]')).toEqual([
      '<|im_start|>',
      'user',
      '⏎',
      'Hi',
      '<|im_end|>',
      '<|im_start|>',
      'assistant',
      'I',
      '·bite',
      '<|im_end|>',
    ]);
    expect(texts('.ft-rail')).toEqual(['1 user', '', '2 assistant']);
    expect(box('.ft-tokens').getAttribute('role')).toBe('grid');
    expect(box('.ft-tokens').getAttribute('aria-rowcount')).toBe('3');
    const bite = box('[data-token="8"]');
    expect(bite.getAttribute('aria-label')).toBe("token '·bite', id 108, trained");
    expect({ ...bite.dataset }).toEqual({ token: '8', kind: 'trained' });
    expect({ ...box('[data-token="4"]').dataset }).toEqual({ token: '4', kind: 'masked', special: '' });
  });

  it('are one stop of the Tab key, and moved in by keys', async () => {
    const { box, key } = await opened();
    const grid = box('.ft-tokens');
    expect(grid.tabIndex).toBe(0);
    expect(box('[data-token="0"]').tabIndex).toBe(-1);
    box('[data-token="3"]').click();
    expect(grid.tabIndex).toBe(-1);
    const at = (): string | undefined => (document.activeElement as HTMLElement).dataset.token;
    const places: unknown[] = [at()];
    const keys: [string, KeyboardEventInit?][] = [
      ['ArrowRight'],
      ['ArrowRight'],
      ['End'],
      ['ArrowRight'],
      ['Home'],
      ['ArrowLeft'],
      ['ArrowUp'],
      ['PageDown'],
      ['Home', { ctrlKey: true }],
      ['End', { metaKey: true }],
    ];
    for (const [each, more] of keys) {
      key(document.activeElement as Element, each, more);
      places.push(at());
    }
    // Lines: 0 to 2, 3 to 4, 5 to 9. jsdom lays nothing out: up and down go to the first token of a line.
    expect(places).toEqual(['3', '4', '5', '9', '9', '5', '4', '0', '5', '0', '9']);
    (document.activeElement as HTMLElement).blur();
    expect(grid.tabIndex).toBe(0);
  });

  it('tell all about the one pointed at, else about the chosen one', async () => {
    const { box, texts } = await opened();
    const facts = (): string[] => texts('.ft-fact');
    expect(texts('.ft-detail-hint')).toEqual(['Point at a token, or move to it with the arrow keys.']);
    const pointAt = (target: Element): boolean =>
      target.dispatchEvent(new Event('pointerover', { bubbles: true }));
    pointAt(box('[data-token="8"]'));
    expect(facts()).toEqual([
      'token9',
      'id108',
      'text·bite',
      'bytes20 62 69 74 65',
      'label108, trained',
      'roleassistant',
      'turn2',
      'position id8',
      'document id0',
    ]);
    expect(texts('.ft-rule')).toEqual(['trained: role assistant is in roles_to_train']);
    box('[data-token="3"]').click();
    expect(facts().slice(0, 5)).toEqual([
      'token4',
      'id103',
      'textHi',
      'bytes48 69',
      'label-100, not trained',
    ]);
    expect(box('[data-token="3"]').getAttribute('aria-describedby')).toBe(box('.ft-rule').id);
    pointAt(box('[data-token="8"]'));
    box('.ft-tokens').dispatchEvent(new Event('pointerleave'));
    expect(facts()[0]).toBe('token4');
  });

  it('are marked by the rule that decided them, until it is pressed again', async () => {
    const { box, el } = await opened();
    const marked = (): string[] =>
      [...el.querySelectorAll<HTMLElement>('[data-span]')].map(({ dataset }) => dataset.token ?? '');
    box('[data-token="8"]').click();
    box('.ft-rule').click();
    expect(marked()).toEqual(['7', '8', '9']);
    box('.ft-rule').click();
    expect(marked()).toEqual([]);
  });

  it('can be ids', async () => {
    const { el, texts, model } = await opened();
    press(el, 'IDs');
    expect(texts('.ft-token[data-token]').slice(0, 4)).toEqual(['100', '101', '102', '103']);
    // One line a message: ids do not end lines.
    expect(texts('.ft-rail')).toEqual(['1 user', '2 assistant']);
    expect(model.saved.at(-1)).toMatchObject({ mode: 'ids' });
  });

  it('show parts of characters as bytes', async () => {
    const tokens = [
      { text: '\\xf0\\x9f', bytes: 'f09f' },
      { text: 'a\\xa6', bytes: '61a6' },
    ];
    const { reply, state, texts, box } = anInspector();
    state();
    const made = aSample(tokens, [span(0, 2, 'text', null, false)]);
    await reply('sample', made.message, made.buffers);
    expect(texts('.ft-token[data-token]')).toEqual(['F0 9F', '61 A6']);
    expect(box('[data-token="0"]').getAttribute('aria-label')).toBe('token byte f09f, id 100, masked');
    box('[data-token="0"]').click();
    expect(texts('.ft-fact')[2]).toBe('text\\xf0\\x9f (part of a character)');
  });

  it('are text whatever they say', async () => {
    const tokens = [{ text: '<img src=x onerror=alert(1)>' }, { text: '\u202eevil\u0000' }];
    const { reply, state, texts, el } = anInspector();
    state();
    const made = aSample(tokens, [span(0, 2, '<b>role</b>', 0, false)], { raw: '<script>\u0007' });
    await reply('sample', made.message, made.buffers);
    expect(texts('.ft-token[data-token]')).toEqual(['<img·src=x·onerror=alert(1)>', '‹U+202E›evil␀']);
    expect(texts('.ft-rail')).toEqual(['1 <b>role</b>']);
    press(el, 'Raw row');
    expect(texts('.ft-raw-text')).toEqual(['<script>␇']);
    expect(el.querySelectorAll('img, script, b')).toHaveLength(0);
  });
});

describe('a long sample', () => {
  const LONG = Array.from({ length: 3000 }, (_, i) => ({ text: ` word${i}`, trained: i > 1500 }));

  it('is drawn as far as it can be seen, and fetched when it is', async () => {
    const { reply, state, asked, texts, el, model, box } = anInspector();
    state();
    const made = aSample(LONG, [span(0, 3000, 'text', null, true)], {}, 1000);
    await reply('sample', made.message, made.buffers);
    const lines = Number(box('.ft-tokens').getAttribute('aria-rowcount'));
    expect(el.querySelectorAll('.ft-line').length).toBeLessThan(25);
    expect(asked('tokens')).toBeUndefined();

    const grid = box('.ft-tokens');
    grid.scrollTop = 30 * Math.round(lines / 2);
    grid.dispatchEvent(new Event('scroll'));
    expect(asked('tokens')).toMatchObject({ place: 0, sample: 0, start: 1000 });
    expect(texts('.ft-line-missing').length).toBeGreaterThan(5);
    const more = page(LONG, 1000, 2000);
    await reply('tokens', { place: 0, sample: 0, ...more.message }, more.buffers);
    expect(texts('.ft-line-missing')).toEqual([]);

    model.sent.length = 0;
    type(box('.ft-find'), 'WORD2999');
    await vi.advanceTimersByTimeAsync(1000);
    expect(asked('tokens')).toMatchObject({ start: 2000 });
    const rest = page(LONG, 2000, 3000);
    await reply('tokens', { place: 0, sample: 0, ...rest.message }, rest.buffers);
    await vi.advanceTimersByTimeAsync(0);
    expect(texts('.ft-finder .ft-found')).toEqual(['1 of 1']);
    expect([...el.querySelectorAll('[data-found]')].map(token => token.textContent)).toEqual(['·word2999']);
  });

  it('says why tokens do not come', async () => {
    const { reply, state, refuse, texts, box, key } = anInspector();
    state();
    const made = aSample(LONG, [span(0, 3000, 'text', null, true)], {}, 1000);
    await reply('sample', made.message, made.buffers);
    box('[data-token="0"]').click();
    key(document.activeElement as Element, 'End', { ctrlKey: true });
    await refuse('tokens', 'The tokenizer is gone.');
    expect(texts('.ft-sample .ft-trouble')).toEqual(['The tokenizer is gone.']);
  });
});

describe('a search in the sample', () => {
  it('goes from match to match and round', async () => {
    const { box, texts, key, el } = await opened();
    type(box('.ft-find'), 'im_');
    await vi.advanceTimersByTimeAsync(200);
    expect(texts('.ft-finder .ft-found')).toEqual(['1 of 4']);
    key(box('.ft-find'), 'Enter', { shiftKey: true });
    expect(texts('.ft-finder .ft-found')).toEqual(['4 of 4']);
    expect(box('[data-chosen]').dataset.token).toBe('9');
    press(el, '↓');
    expect(texts('.ft-finder .ft-found')).toEqual(['1 of 4']);
    type(box('.ft-find'), '');
    await vi.advanceTimersByTimeAsync(200);
    expect(el.querySelectorAll('[data-found]')).toHaveLength(0);
  });
});

describe('other views of a sample', () => {
  it('are its text, with what is trained told apart', async () => {
    const { el, texts } = await opened();
    press(el, 'Text');
    await vi.advanceTimersByTimeAsync(0);
    expect(texts('.ft-running-who')).toEqual(['1 user', '2 assistant']);
    expect(
      [...el.querySelectorAll<HTMLElement>('.ft-run-of')].map(({ textContent, dataset }) => [
        textContent,
        dataset.kind,
        dataset.special,
      ]),
    ).toEqual([
      ['<|im_start|>', 'masked', ''],
      ['user\nHi', 'masked', undefined],
      ['<|im_end|>', 'masked', ''],
      ['<|im_start|>', 'masked', ''],
      ['assistant', 'masked', undefined],
      ['I bite', 'trained', undefined],
      ['<|im_end|>', 'trained', ''],
    ]);
    expect(texts('.ft-token[data-token]')).toEqual([]);
  });

  it('are its text when all of its tokens are there', async () => {
    const { reply, state, texts, el } = anInspector();
    state();
    const made = aSample(CHAT, CHAT_SPANS, {}, 6);
    await reply('sample', made.message, made.buffers);
    press(el, 'Text');
    expect(texts('.ft-running > *')).toEqual(['Fetching 10 tokens…']);
    const more = page(CHAT, 6, 10);
    await reply('tokens', { place: 0, sample: 0, ...more.message }, more.buffers);
    expect(texts('.ft-running-who')).toEqual(['1 user', '2 assistant']);
  });

  it('are its raw row, beside it', async () => {
    const { el, texts } = await opened({ raw_cut: true });
    expect(texts('.ft-raw-text')).toEqual([]);
    press(el, 'Raw row');
    expect(texts('.ft-raw-text')).toEqual(['{"a": 1}']);
    expect(texts('.ft-raw-note')).toEqual(['Only its beginning; the row is longer than a page should hold.']);
    press(el, 'Raw row');
    expect(texts('.ft-raw-text')).toEqual([]);
  });

  it('are the JSON of it on the clipboard', async () => {
    const writeText = vi.fn(() => Promise.resolve());
    vi.stubGlobal('navigator', { clipboard: { writeText } });
    const { el } = await opened();
    press(el, 'Copy as JSON');
    await vi.advanceTimersByTimeAsync(0);
    const [json] = writeText.mock.calls[0] as unknown as [string];
    expect(JSON.parse(json)).toMatchObject({
      place: 0,
      input_ids: [100, 101, 102, 103, 104, 100, 106, 107, 108, 104],
    });
  });
});

describe('losses', () => {
  it('are on the tokens and in what is told of them, until they are taken away or another sample comes', async () => {
    const made = aSample(CHAT, CHAT_SPANS);
    const ask = (() => Promise.resolve(made)) as never;
    const none = vi.fn();
    const pane = samplePane({ ask, announcer: { element: document.body, say: none, stop: none } }, 'tokens', {
      step: none,
      filter: none,
      mode: none,
      shown: none,
    });
    document.body.append(pane.element);
    vi.spyOn(HTMLElement.prototype, 'clientHeight', 'get').mockReturnValue(440);
    vi.spyOn(HTMLElement.prototype, 'clientWidth', 'get').mockReturnValue(700);
    pane.showState(aState());
    pane.show(0, 0);
    await vi.advanceTimersByTimeAsync(0);
    const of = (token: number): HTMLElement =>
      pane.element.querySelector(`[data-token="${token}"]`) as HTMLElement;
    const told = (): string => pane.element.querySelector('.ft-fact:last-child')?.textContent ?? '';

    pane.losses(new Float32Array(10).fill(NaN).fill(0.25, 8), 'tuned');
    expect([of(7).dataset.loss, of(8).dataset.loss]).toEqual(['', lossStep(0.25, 'tuned')]);
    of(8).click();
    expect(told()).toBe(`loss${lossWords(0.25, 'tuned')}`);
    of(7).click();
    expect(told()).toBe('lossno loss');

    pane.losses(new Float32Array(10).fill(1.5), 'base');
    expect(told()).toBe(`loss${lossWords(1.5, 'base')}`);
    pane.losses(null, '');
    expect(of(8).dataset.loss).toBeUndefined();
    pane.losses(new Float32Array(10), 'tuned');
    pane.show(0, 0);
    await vi.advanceTimersByTimeAsync(0);
    expect(of(8).dataset.loss).toBeUndefined();
    pane.destroy();
  });
});

describe('the same sample again', () => {
  it('comes after a change of settings, with the reader where they were', async () => {
    const { box, state, asked, chat, model, texts } = await opened();
    box('[data-token="8"]').click();
    model.sent.length = 0;
    state({ generation: 2, flags: FLAGS });
    expect(asked('sample')).toMatchObject({ place: 0, sample: 0 });
    expect(texts('.ft-token[data-token]')).toHaveLength(10);
    await chat({ trained: 0 });
    expect(texts('.ft-sample-facts > *')[1]).toBe('0 trained (0%)');
    expect(box('[data-chosen]').dataset.token).toBe('8');
  });

  it('is shown only as the last reply has it', async () => {
    const { box, key, model, asked, texts, chat } = await opened();
    key(box('.ft-rows'), 'ArrowDown');
    const { request } = asked('sample') ?? { request: 0 };
    key(box('.ft-rows'), 'ArrowDown');
    const late = aSample(CHAT, CHAT_SPANS, { place: 1, number: 2 });
    model.say({ type: 'sample', request, ...late.message }, late.buffers);
    await chat();
    expect(texts('.ft-sample-title')).toEqual(['Row 3']);
  });
});
