/** One packed row as a bar of its samples. */

import { element } from '../shared/dom';
import { whole } from './figures';
import { COLOURS } from './mask_thumbnail';
import type { PackedRow } from './protocol';

type Segment = PackedRow['segments'][number];

/** Samples narrower than this share of a row are drawn together: they could neither be seen nor met. */
const NARROWEST = 1 / 200;
/** What is drawn together is about this wide. */
const TOGETHER = 1 / 25;
/** Pieces at least this wide have room for a number, and for the tokens too. */
const NUMBERED = 0.03;
const COUNTED = 0.09;

/** What is drawn as one: segments `[first, stop)` of a row. */
export interface Piece {
  first: number;
  stop: number;
  length: number;
}

/** The pieces of a row: wide segments alone, narrow neighbours together. */
export function pieces(row: PackedRow, capacity: number): Piece[] {
  const all = scale(row, capacity);
  const made: Piece[] = [];
  let joining = false;
  row.segments.forEach(({ length }, at) => {
    const last = made.at(-1);
    const narrow = length < all * NARROWEST;
    if (last && joining && narrow && last.length < all * TOGETHER) {
      last.stop = at + 1;
      last.length += length;
    } else {
      made.push({ first: at, stop: at + 1, length });
    }
    joining = narrow;
  });
  return made;
}

/** Tokens that the width of the page stands for: those of a full row, or more where a sample is too long for one. */
function scale(row: PackedRow, capacity: number): number {
  return Math.max(capacity, row.width);
}

/**
 * The cell of each piece, and the padding after them. A cell's `data-segment` is the first of its segments.
 *
 * @param id - What the ids of the cells begin with.
 */
export function packedBar(row: PackedRow, capacity: number, id: string): HTMLElement {
  const bar = element('div', { class: 'ft-pack-bar', role: 'presentation' });
  pieces(row, capacity).forEach((piece, column) => {
    const segment = row.segments[piece.first];
    const share = piece.length / scale(row, capacity);
    const cell = element(
      'div',
      {
        class: 'ft-pack-segment',
        role: 'gridcell',
        id: `${id}-${row.row}-${piece.first}`,
        'aria-colindex': column + 1,
        'aria-label': segment ? cellWords(piece, segment) : undefined,
        'data-segment': piece.first,
        'data-colour': piece.first % COLOURS,
        'data-many': piece.stop > piece.first + 1,
      },
      share >= NUMBERED ? element('b', {}, piece.stop > piece.first + 1 ? '…' : whole(piece.first + 1)) : '',
      share >= COUNTED ? element('span', {}, whole(piece.length)) : '',
    );
    cell.style.width = `${share * 100}%`;
    cell.style.setProperty(
      '--ft-trained',
      `${trainedShare(row.segments.slice(piece.first, piece.stop)) * 100}%`,
    );
    bar.append(cell);
  });
  if (row.tokens < row.width) {
    const padding = element('div', {
      class: 'ft-pack-padding',
      role: 'gridcell',
      'aria-label': `padding, ${whole(row.width - row.tokens)} tokens`,
    });
    padding.style.width = `${((row.width - row.tokens) / scale(row, capacity)) * 100}%`;
    bar.append(padding);
  }
  return bar;
}

/** What is known of segment `at`: which sample it is, and where in the row it lies. */
export function segmentWords({ row, segments }: PackedRow, at: number): string {
  const segment = segments[at];
  if (!segment) {
    return '';
  }
  const start = segments.slice(0, at).reduce((sum, { length }) => sum + length, 0);
  return (
    `Row ${whole(row + 1)}, segment ${whole(at + 1)} of ${whole(segments.length)}: ${sampleName(segment)}, ` +
    `${whole(segment.length)} tokens, ${whole(segment.trained)} trained; ` +
    `tokens ${whole(start)} to ${whole(start + segment.length - 1)} of the row, ` +
    `positions 0 to ${whole(segment.length - 1)}`
  );
}

/** What is known of the piece that begins with segment `first`. */
export function pieceWords(row: PackedRow, first: number, capacity: number): string {
  const piece = pieces(row, capacity).find(piece => piece.first === first);
  const segment = row.segments[first];
  return piece && segment && piece.stop > first + 1
    ? `Row ${whole(row.row + 1)}, ${cellWords(piece, segment)}`
    : segmentWords(row, first);
}

/** A sample of the set by the row that it is of. */
export function sampleName({ place, sample }: Segment): string {
  return `row ${whole(place + 1)} of the set${sample > 0 ? ` (sample ${whole(sample + 1)})` : ''}`;
}

function cellWords({ first, stop, length }: Piece, segment: Segment): string {
  return stop > first + 1
    ? `segments ${whole(first + 1)} to ${whole(stop)}, ${whole(length)} tokens`
    : `segment ${whole(first + 1)}, ${sampleName(segment)}, ${whole(length)} tokens`;
}

function trainedShare(segments: Segment[]): number {
  const sum = (of: (segment: Segment) => number): number =>
    segments.reduce((all, segment) => all + of(segment), 0);
  return (
    sum(({ trained }) => trained) /
    Math.max(
      1,
      sum(({ length }) => length),
    )
  );
}
