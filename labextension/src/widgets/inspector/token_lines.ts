/** Where the lines of tokens break, and how wide a token is. */

import { TEMPLATE } from './sample_tokens';
import type { Section, SampleTokens } from './sample_tokens';
import { pieces } from './signs';
import type { Piece as Sign } from './signs';

export type Labels = 'tokens' | 'ids';

/** Characters of a token that are drawn; the rest is in its details. */
const LONGEST = 48;
/** Pixels of a token around its label: padding, border and the gap to the next. */
const AROUND = 10;
const AROUND_SPECIAL = 18;
/** Tokens of a line that are guessed before any line is known. */
const GUESS = 12;

/** What a token's box reads. */
export function label(tokens: SampleTokens, token: number, labels: Labels): Sign[] {
  const { text, bytes, partial } = tokens.piece(token);
  if (labels === 'ids') {
    return [{ text: String(tokens.inputIds[token]), sign: false }];
  }
  if (partial || (text === '' && bytes !== '')) {
    return [{ text: spaced(bytes), sign: false }];
  }
  if (text === '') {
    return [{ text: '∅', sign: true }];
  }
  return pieces(text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text);
}

/** `e29688` as `E2 96 88`. */
export function spaced(bytes: string): string {
  return (bytes.match(/../g) ?? []).join(' ').toUpperCase();
}

/** The lines of a section: of each the first token. */
interface Block extends Section {
  lines: Int32Array | null;
  count: number;
}

/** A line of tokens `[start, end)`; `loaded` false where they are not here. */
export interface Line {
  start: number;
  end: number;
  loaded: boolean;
}

/**
 * The lines of a sample in a width.
 *
 * A line ends where it is full, after a token that ends a line of the text, and where a message begins; what the template
 * wrote after one goes on in its line. Each section of tokens has its own lines, because those of later ones may be known before those of earlier
 * ones; how many lines the missing ones will be is a guess.
 */
export class Lines {
  private blocks: Block[] = [];
  private known = new Map<string, number>();
  count = 0;

  constructor(private readonly measure: (text: string, special: boolean) => number) {}

  /** Break the tokens that are here into lines of `width` pixels. */
  lay(tokens: SampleTokens, labels: Labels, width: number): void {
    this.known.clear();
    this.blocks = [];
    this.extend(tokens, labels, width);
  }

  /** Break what is new since; what was broken stays. */
  extend(tokens: SampleTokens, labels: Labels, width: number): void {
    const before = new Map(this.blocks.map(block => [`${block.start}-${block.end}-${block.loaded}`, block]));
    this.blocks = tokens.sections.map(section => {
      const same = before.get(`${section.start}-${section.end}-${section.loaded}`);
      if (same?.lines) {
        return same;
      }
      const lines = section.loaded ? this.breakUp(tokens, section, labels, width) : null;
      return { ...section, lines, count: lines?.length ?? 0 };
    });
    const laid = this.blocks.filter(({ lines }) => lines);
    const tokensLaid = laid.reduce((sum, { start, end }) => sum + end - start, 0);
    const linesLaid = laid.reduce((sum, { count }) => sum + count, 0);
    const mean = linesLaid > 0 ? tokensLaid / linesLaid : GUESS;
    for (const block of this.blocks) {
      block.count = block.lines?.length ?? Math.max(1, Math.ceil((block.end - block.start) / mean));
    }
    this.count = this.blocks.reduce((sum, { count }) => sum + count, 0);
  }

  at(line: number): Line | undefined {
    let before = 0;
    for (const { start, end, lines, count } of this.blocks) {
      const i = line - before;
      if (i < count) {
        if (lines) {
          return { start: lines[i] ?? start, end: lines[i + 1] ?? end, loaded: true };
        }
        const size = (end - start) / count;
        return {
          start: start + Math.floor(i * size),
          end: start + Math.floor((i + 1) * size),
          loaded: false,
        };
      }
      before += count;
    }
    return undefined;
  }

  /** The line that holds a token. */
  of(token: number): number {
    let before = 0;
    for (const { start, end, lines, count } of this.blocks) {
      if (token < end) {
        return (
          before + (lines ? lineIn(lines, token) : Math.floor(((token - start) / (end - start)) * count))
        );
      }
      before += count;
    }
    return Math.max(0, this.count - 1);
  }

  private breakUp(tokens: SampleTokens, section: Section, labels: Labels, width: number): Int32Array {
    const starts: number[] = [];
    let room = 0;
    let turnEnd = section.start;
    let ended = true;
    for (let token = section.start; token < section.end; token += 1) {
      const wide = this.width(tokens, token, labels);
      let begins = false;
      if (token >= turnEnd) {
        const turn = tokens.turn(token);
        turnEnd = turn?.end ?? section.end;
        begins = turn?.role !== TEMPLATE;
      }
      if (ended || begins || wide > room) {
        starts.push(token);
        room = width;
      }
      room -= wide;
      ended = labels === 'tokens' && tokens.piece(token).text.endsWith('\n');
    }
    return Int32Array.from(starts);
  }

  private width(tokens: SampleTokens, token: number, labels: Labels): number {
    const { special } = tokens.piece(token);
    const key = `${special ? 's' : 't'}${tokens.inputIds[token]}`;
    let wide = this.known.get(key);
    if (wide === undefined) {
      const text = label(tokens, token, labels)
        .map(piece => piece.text)
        .join('');
      wide = this.measure(text, special) + (special ? AROUND_SPECIAL : AROUND);
      this.known.set(key, wide);
    }
    return wide;
  }
}

/** The last line that begins at or before a token. */
function lineIn(lines: Int32Array, token: number): number {
  let low = 0;
  let high = lines.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((lines[middle] ?? 0) <= token) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

/** Widths of text in the fonts of `box`, in pixels. */
export function measuring(box: HTMLElement): (text: string, special: boolean) => number {
  const context = typeof OffscreenCanvas === 'undefined' ? null : new OffscreenCanvas(1, 1).getContext('2d');
  const { fontFamily } = getComputedStyle(box);
  return (text, special) => {
    if (!context) {
      return text.length * 8;
    }
    context.font = special ? `600 11px ${fontFamily}` : `13px ${fontFamily}`;
    return Math.ceil(context.measureText(text).width);
  };
}
