import { describe, expect, it, vi } from 'vitest';

import { matchesOf } from '../src/widgets/inspector/finder';
import { sampleAsJson } from '../src/widgets/inspector/sample_json';
import { SampleTokens, turnsOf } from '../src/widgets/inspector/sample_tokens';
import { Lines, label } from '../src/widgets/inspector/token_lines';
import type { AToken } from './a_set';
import { CHAT, CHAT_SPANS, aSample, page, span } from './a_set';

/** Ten pixels a character; what is around a token is 10 more, 18 for a special one. */
const measure = (text: string): number => 10 * text.length;

/** A sample whose first message has the tokens before `stop`, and a kernel that has the others. */
function held(tokens: AToken[], spans = CHAT_SPANS, stop = tokens.length, change = {}) {
  const { message, buffers } = aSample(tokens, spans, change, stop);
  const ask = vi.fn((_: string, { start }: { start: number }) => {
    const part = page(tokens, start, Math.min(tokens.length, start + stop));
    return Promise.resolve({ message: { place: 0, sample: 0, ...part.message }, buffers: part.buffers });
  });
  return { tokens: new SampleTokens(message, buffers, ask as never), ask };
}

const word = (i: number): AToken => ({ text: `w${i}`, trained: i % 2 === 1 });
const WORDS = Array.from({ length: 25 }, (_, i) => word(i));
const WHOLE = [span(0, 25, 'text', null, true)];

describe('the tokens of a sample', () => {
  it('are those of the message', () => {
    const { tokens } = held(CHAT);
    expect([...tokens.inputIds]).toEqual([100, 101, 102, 103, 104, 100, 106, 107, 108, 104]);
    expect([...tokens.labels]).toEqual([-100, -100, -100, -100, -100, -100, -100, 107, 108, 104]);
    expect(tokens.piece(5)).toEqual({
      text: '<|im_start|>',
      bytes: '3c7c696d5f73746172747c3e',
      special: true,
      partial: false,
    });
    expect(tokens.span(4)?.role).toBe('user');
    expect(tokens.whole).toBe(true);
  });

  it('are fetched page by page, each once, in whatever order', async () => {
    const { tokens, ask } = held(WORDS, WHOLE, 10);
    expect(tokens.sections).toEqual([
      { start: 0, end: 10, loaded: true },
      { start: 10, end: 25, loaded: false },
    ]);
    await Promise.all([tokens.load(23), tokens.load(21), tokens.load(3)]);
    expect(ask.mock.calls).toEqual([['tokens', { place: 0, sample: 0, start: 20 }]]);
    expect(tokens.sections).toEqual([
      { start: 0, end: 10, loaded: true },
      { start: 10, end: 20, loaded: false },
      { start: 20, end: 25, loaded: true },
    ]);
    await tokens.loadAll();
    expect(ask.mock.calls.map(([, { start }]) => start)).toEqual([20, 10]);
    expect([...tokens.inputIds]).toEqual(WORDS.map((_, i) => 100 + i));
    expect([...tokens.positionIds]).toEqual(WORDS.map((_, i) => i));
  });

  it('are fetched four pages at a time where all are needed', async () => {
    const { tokens, ask } = held(WORDS, WHOLE, 3);
    const whole = tokens.loadAll();
    expect(ask.mock.calls.map(([, { start }]) => start)).toEqual([3, 6, 9, 12]);
    await whole;
    expect(ask.mock.calls.map(([, { start }]) => start)).toEqual([3, 6, 9, 12, 15, 18, 21, 24]);
    expect(tokens.whole).toBe(true);
  });

  it('say where the kernel has no more of them', async () => {
    const { message, buffers } = aSample(WORDS, WHOLE, {}, 10);
    const none = page(WORDS, 25, 25);
    const tokens = new SampleTokens(message, buffers, (() => Promise.resolve(none)) as never);
    await expect(tokens.loadAll()).rejects.toThrow('The kernel has no tokens from 10 on.');
  });

  it('are one text, in which a split character is one', () => {
    const { tokens } = held(
      [
        { text: 'a' },
        { text: '\\xf0\\x9f', bytes: 'f09f' },
        { text: '\\xa6\\x8a', bytes: 'a68a' },
        { text: 'b' },
      ],
      [span(0, 4, 'text', null, false)],
    );
    const { text, starts } = tokens.decoded();
    expect(text).toBe('a🦊b');
    expect([...starts]).toEqual([0, 1, 1, 3]);
    const broken = held([{ text: '\\xf0', bytes: 'f0' }, { text: 'b' }], [span(0, 2, 'text', null, false)]);
    expect(broken.tokens.decoded().text).toBe('\ufffdb');
  });

  it('belong to turns, what the template wrote in them included', () => {
    expect(turnsOf(CHAT_SPANS)).toEqual([
      { start: 0, end: 5, role: 'user', turn: 0 },
      { start: 5, end: 10, role: 'assistant', turn: 1 },
    ]);
    expect(
      turnsOf([
        span(0, 2, 'template', null, false),
        span(2, 4, 'user', 0, false),
        span(4, 5, 'template', null, false),
        span(5, 6, 'template', null, false),
        span(6, 8, 'user', 1, false),
      ]),
    ).toEqual([
      { start: 0, end: 2, role: 'template', turn: null },
      { start: 2, end: 4, role: 'user', turn: 0 },
      { start: 4, end: 6, role: 'template', turn: null },
      { start: 6, end: 8, role: 'user', turn: 1 },
    ]);
  });
});

describe('what a box reads', () => {
  it.each<[AToken, string]>([
    [{ text: ' the' }, '·the'],
    [{ text: '\n\n' }, '⏎⏎'],
    [{ text: '<b>' }, '<b>'],
    [{ text: '\\xf0\\x9f', bytes: 'f09f' }, 'F0 9F'],
    [{ text: '' }, '∅'],
    [{ text: 'a'.repeat(60) }, `${'a'.repeat(47)}…`],
  ])('%j', (token, reads) => {
    const { tokens } = held([token], [span(0, 1, 'text', null, false)]);
    expect(
      label(tokens, 0, 'tokens')
        .map(({ text }) => text)
        .join(''),
    ).toBe(reads);
    expect(label(tokens, 0, 'ids')).toEqual([{ text: '100', sign: false }]);
  });
});

describe('lines', () => {
  const starts = (lines: Lines): number[] =>
    Array.from({ length: lines.count }, (_, i) => lines.at(i)?.start ?? -1);

  it('end where they are full, after a line end, and where a turn ends', () => {
    const { tokens } = held(CHAT);
    const lines = new Lines(measure);
    lines.lay(tokens, 'tokens', 220);
    // <|im_start|> is 138 pixels wide, user 50 and ⏎ 20: together 208.
    expect(starts(lines)).toEqual([0, 3, 5, 6, 9]);
    expect(lines.at(0)).toEqual({ start: 0, end: 3, loaded: true });
    expect(lines.at(5)).toBeUndefined();
    expect([0, 2, 3, 4, 5, 8, 9].map(token => lines.of(token))).toEqual([0, 0, 1, 1, 2, 3, 4]);
  });

  it('begin with a message, not with what the template wrote after one', () => {
    const texts = ['user', '\n', 'Hi', '<|im_end|>', '\n', 'assistant', '\n', 'I'];
    const { tokens } = held(
      texts.map(text => ({ text })),
      [
        span(0, 2, 'template', null, false),
        span(2, 4, 'user', 0, false),
        span(4, 7, 'template', null, false),
        span(7, 8, 'assistant', 1, true),
      ],
    );
    const lines = new Lines(measure);
    lines.lay(tokens, 'tokens', 1000);
    expect(starts(lines)).toEqual([0, 2, 5, 7]);
    lines.lay(tokens, 'ids', 1000);
    expect(starts(lines)).toEqual([0, 2, 7]);
  });

  it('hold a token that is wider than they are', () => {
    const { tokens } = held(CHAT);
    const lines = new Lines(measure);
    lines.lay(tokens, 'tokens', 20);
    expect(starts(lines)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('of tokens that are not here are a guess, and are broken when these come', async () => {
    const { tokens } = held(WORDS, WHOLE, 10);
    const lines = new Lines(measure);
    // Two tokens of 30 pixels a line; of those from 10 on, of 40 pixels, one.
    lines.lay(tokens, 'tokens', 60);
    expect(lines.count).toBe(5 + 8);
    expect(lines.at(4)).toEqual({ start: 8, end: 10, loaded: true });
    expect(lines.at(5)).toEqual({ start: 10, end: 11, loaded: false });
    expect(lines.of(24)).toBe(12);
    await tokens.load(20);
    lines.extend(tokens, 'tokens', 60);
    expect(lines.at(lines.count - 1)).toEqual({ start: 24, end: 25, loaded: true });
    expect(lines.of(20)).toBe(lines.count - 5);
    expect(lines.at(5)?.loaded).toBe(false);
  });
});

describe('a search in a sample', () => {
  it.each([
    ['w2', [2, 20, 21, 22, 23, 24]],
    ['W11W', [11]],
    ['.', []],
    ['nothing', []],
  ])('for %j finds tokens %j', (sought, first) => {
    expect(matchesOf(held(WORDS, WHOLE).tokens, sought).first).toEqual(first);
  });

  it('marks all tokens that a match touches', () => {
    expect([...matchesOf(held(CHAT).tokens, 'hi<|im').marks]).toEqual([0, 0, 0, 1, 1, 0, 0, 0, 0, 0]);
  });
});

describe('a sample as JSON', () => {
  it('has everything, with numbers as the source wrote them', async () => {
    const { tokens } = held(WORDS, WHOLE, 10, { raw: '{"id": 12345678901234567890}', number: 8 });
    const json = await sampleAsJson(tokens);
    expect(json).toContain('"raw": {"id": 12345678901234567890}');
    expect(JSON.parse(json)).toMatchObject({
      place: 0,
      dataset: 0,
      row: 8,
      sample: 0,
      input_ids: WORDS.map((_, i) => 100 + i),
      labels: WORDS.map((_, i) => (i % 2 === 1 ? 100 + i : -100)),
      spans: WHOLE,
    });
  });

  it.each([
    ['not JSON', false],
    ['{"a": 1}', true],
  ])('has a raw row that is cut off or no JSON as a text: %s', async (raw, cut) => {
    const json = await sampleAsJson(held(CHAT, CHAT_SPANS, 10, { raw, raw_cut: cut }).tokens);
    expect((JSON.parse(json) as { raw: unknown }).raw).toBe(raw);
  });
});
