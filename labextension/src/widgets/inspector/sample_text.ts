/** A sample as running text, with what is trained underlined. */

import { element } from '../shared/dom';
import { many } from './figures';
import { TEMPLATE } from './sample_tokens';
import type { SampleTokens } from './sample_tokens';
import { readable } from './signs';

/** Tokens of a paragraph; browsers lay out only the paragraphs that can be seen. */
const PARAGRAPH = 1500;

export interface SampleText {
  element: HTMLElement;
  /** Show all tokens of a sample; waits until they are here. */
  show(tokens: SampleTokens): Promise<void>;
}

export function sampleText(): SampleText {
  const box = element('div', {
    class: 'ft-running',
    tabindex: 0,
    role: 'group',
    'aria-label': 'text of the sample',
  });
  let latest: SampleTokens | null = null;
  return {
    element: box,
    show: async tokens => {
      latest = tokens;
      if (!tokens.whole) {
        box.replaceChildren(
          element('p', { class: 'ft-running-note' }, `Fetching ${many(tokens.length, 'token')}…`),
        );
      }
      await tokens.loadAll();
      if (latest === tokens) {
        box.replaceChildren(...paragraphs(tokens));
      }
    },
  };
}

function paragraphs(tokens: SampleTokens): HTMLElement[] {
  const { text, starts } = tokens.decoded();
  const made: HTMLElement[] = [];
  for (const { start, end, role, turn } of tokens.turns) {
    for (let from = start; from < end; from += PARAGRAPH) {
      const to = Math.min(end, from + PARAGRAPH);
      const paragraph = element('div', { class: 'ft-running-part' });
      paragraph.dataset.role = role;
      if (from === start && role !== TEMPLATE) {
        paragraph.append(
          element('div', { class: 'ft-running-who' }, turn === null ? role : `${turn + 1} ${role}`),
        );
      }
      paragraph.append(...runs(tokens, from, to, text, starts));
      made.push(paragraph);
    }
  }
  return made;
}

/** Neighbouring tokens that are trained, or not, or special, as one piece of text. */
function runs(
  tokens: SampleTokens,
  from: number,
  to: number,
  text: string,
  starts: Int32Array,
): HTMLElement[] {
  const made: HTMLElement[] = [];
  const kind = (token: number): string =>
    `${tokens.trained(token) ? 'trained' : 'masked'}${tokens.piece(token).special ? ' special' : ''}`;
  for (let start = from; start < to;) {
    const same = kind(start);
    let end = start + 1;
    while (end < to && kind(end) === same) {
      end += 1;
    }
    const [trained, special] = same.split(' ');
    const run = element('span', {
      class: 'ft-run-of',
      'data-kind': trained,
      'data-special': Boolean(special),
    });
    run.append(readable(text.slice(starts[start], starts[end] ?? text.length)));
    made.push(run);
    start = end;
  }
  return made;
}
