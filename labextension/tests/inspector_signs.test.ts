import { describe, expect, it } from 'vitest';

import { pieces, readable, shortened, visible } from '../src/widgets/inspector/signs';

describe('text of any origin', () => {
  it.each([
    ['the fox', 'the·fox'],
    ['a\tb\r\n', 'a→b␍⏎'],
    ['\u0000\u001b[31m\u007f', '␀␛[31m␡'],
    ['\u0085', '‹U+0085›'],
    ['\u00a0', '⍽'],
    ['\u202eabc\u2066', '‹U+202E›abc‹U+2066›'],
    ['\u200b\ufeff', '‹U+200B›‹U+FEFF›'],
    ['\ud800', '‹U+D800›'],
    ['\u{e0041}', '‹U+E0041›'],
    ['🦊 naïve 東京', '🦊·naïve·東京'],
    ['<script>&amp;', '<script>&amp;'],
  ])('is shown as signs: %j', (text, shown) => expect(visible(text)).toBe(shown));

  it.each([
    ['two\nlines and\tmore\u00a0', 'two\nlines and\tmore\u00a0'],
    ['\u0007\u202e\udfff', '␇‹U+202E›‹U+DFFF›'],
    ['👩\u200d👧\ufe0f', '👩\u200d👧\ufe0f'],
  ])('keeps its lines and spaces where it runs on: %j', (text, shown) => expect(readable(text)).toBe(shown));

  it('comes in pieces, signs apart', () => {
    expect(pieces('  the\n')).toEqual([
      { text: '··', sign: true },
      { text: 'the', sign: false },
      { text: '⏎', sign: true },
    ]);
    expect(pieces('')).toEqual([]);
  });

  it('is cut off where it is long', () => {
    expect(shortened('abcdef', 6)).toBe('abcdef');
    expect(shortened('abcdef', 4)).toBe('abcd… 2 more');
  });
});
