/** Who may look at whom in a packed row, and where positions start again. */

import { element } from '../shared/dom';
import { many, percent, whole } from './figures';

/** Colours for neighbouring documents. */
export const COLOURS = 7;

/** Tokens `[start, stop)` of one document of a packed row; 0 is the padding, the others count from 1. */
export interface Document {
  id: number;
  start: number;
  stop: number;
}

/** The documents of a row, from the document id of each token. */
export function documents(ids: Int32Array): Document[] {
  const found: Document[] = [];
  ids.forEach((id, at) => {
    const last = found.at(-1);
    if (last?.id === id) {
      last.stop = at + 1;
    } else {
      found.push({ id, start: at, stop: at + 1 });
    }
  });
  return found;
}

/** The share of pairs of a causal mask over `length` tokens that documents leave open. */
export function openShare(found: Document[], length: number): number {
  const pairs = (tokens: number): number => (tokens * (tokens + 1)) / 2;
  return (
    found.filter(({ id }) => id > 0).reduce((sum, { start, stop }) => sum + pairs(stop - start), 0) /
    pairs(length)
  );
}

/** Where positions do not go on from the token before: the starts of what is counted by itself. */
export function restarts(positions: Int32Array): number[] {
  return [...positions.keys()].filter(at => at === 0 || positions[at] !== (positions[at - 1] ?? 0) + 1);
}

const SIZE = 100;

/** The attention mask of a row: a triangle for each document, the padding hatched. */
export function maskThumbnail(ids: Int32Array): HTMLElement {
  const found = documents(ids);
  const scale = SIZE / Math.max(1, ids.length);
  const samples = found.filter(({ id }) => id > 0);
  const triangles = Array.from({ length: COLOURS }, (_, colour) =>
    path(
      samples.filter(({ id }) => (id - 1) % COLOURS === colour),
      ({ start, stop }) => `M${start * scale} ${start * scale}V${stop * scale}H${stop * scale}z`,
      { class: 'ft-mask-document', 'data-colour': colour },
    ),
  );
  const padding = found.filter(({ id }) => id === 0);
  const hatch = path(
    padding,
    ({ start, stop }) => {
      const [from, to] = [start * scale, stop * scale];
      const lines = Array.from({ length: Math.floor(to / 4) }, (_, line) => (line + 1) * 4);
      // Of the rows of padding, a line every few pixels.
      return lines
        .filter(line => line > from)
        .map(line => `M0 ${line}H${line}`)
        .join('');
    },
    { class: 'ft-mask-padding' },
  );
  const svg = drawing(`0 0 ${SIZE} ${SIZE}`, 'ft-mask', inWords(samples, ids.length));
  svg.append(...triangles, hatch, shape(`M0 0V${SIZE}H${SIZE}z`, { class: 'ft-mask-causal' }));
  return element(
    'figure',
    { class: 'ft-mask-figure' },
    svg,
    element('figcaption', {}, inWords(samples, ids.length)),
  );
}

function inWords(samples: Document[], length: number): string {
  return samples.length === 0
    ? 'Attention mask: only padding.'
    : `Attention mask: ${many(samples.length, 'block')}. A token sees the tokens before it in its own sample, ` +
        `${percent(openShare(samples, length), 1)} of a full causal mask.`;
}

/** The position ids of a row as a line that rises in each sample and starts again at the next. */
export function positionStrip(positions: Int32Array, ids: Int32Array): HTMLElement {
  const starts = restarts(positions);
  // What the padding counts up to is of no interest.
  const most = positions.reduce((most, position, at) => (ids[at] ? Math.max(most, position) : most), 1);
  const [width, height] = [1000, 40];
  const x = (at: number): number => (at / Math.max(1, positions.length)) * width;
  const y = (position: number): number => height - (position / most) * height;
  const line = starts
    .map((start, at) => {
      if (!ids[start]) {
        return '';
      }
      const last = (starts[at + 1] ?? positions.length) - 1;
      return `M${x(start)} ${y(positions[start] ?? 0)}L${x(last + 1)} ${y(positions[last] ?? 0)}`;
    })
    .join('');
  const words = positionWords(starts, documents(ids), most);
  const svg = drawing(`0 0 ${width} ${height}`, 'ft-positions', words);
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.append(shape(line, { class: 'ft-positions-line', 'vector-effect': 'non-scaling-stroke' }));
  return element('figure', { class: 'ft-positions-figure' }, svg, element('figcaption', {}, words));
}

function positionWords(starts: number[], found: Document[], most: number): string {
  const expected = found.map(({ start }) => start);
  const upTo = `, and count up to ${whole(most)}`;
  if (String(starts) === String(expected)) {
    const samples = found.filter(({ id }) => id > 0).length;
    return `Position ids start again with ${samples === 1 ? 'the one sample' : `each of the ${whole(samples)} samples`}${upTo}.`;
  }
  return `Position ids start ${many(starts.length, 'time')} for ${many(found.length, 'document')}${upTo}.`;
}

function drawing(viewBox: string, name: string, words: string): SVGSVGElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  for (const [attribute, value] of Object.entries({
    viewBox,
    class: name,
    role: 'img',
    'aria-label': words,
  })) {
    svg.setAttribute(attribute, value);
  }
  return svg;
}

function path(
  found: Document[],
  outline: (document: Document) => string,
  attributes: Record<string, string | number>,
): SVGPathElement {
  return shape(found.map(outline).join(''), attributes);
}

function shape(d: string, attributes: Record<string, string | number>): SVGPathElement {
  const made = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  for (const [name, value] of Object.entries({ d, ...attributes })) {
    made.setAttribute(name, String(value));
  }
  return made;
}
