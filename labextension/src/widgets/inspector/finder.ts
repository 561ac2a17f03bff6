/** A search within one sample. */

import { button, element, setText } from '../shared/dom';
import type { SampleTokens } from './sample_tokens';

/** Milliseconds after the last key until a search begins. */
const PAUSE = 200;

export interface Finder {
  element: HTMLElement;
  /** Another sample: find in it what is sought, but stay where the reader is. */
  use(tokens: SampleTokens | null): void;
}

/** Whom a finder tells: marks for each token, and the token of a match to move to. */
export interface FinderEvents {
  found(marks: Uint8Array | null): void;
  go(token: number): void;
  /** Tokens have come that were not here. */
  loaded(): void;
}

export function finder({ found, go, loaded }: FinderEvents): Finder {
  let tokens: SampleTokens | null = null;
  /** The first token of each match. */
  let matches: number[] = [];
  let at = -1;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const field = element('input', {
    type: 'search',
    class: 'ft-field ft-find',
    placeholder: 'Find in sample',
    'aria-label': 'find in this sample',
    spellcheck: 'false',
  });
  const count = element('span', { class: 'ft-found', role: 'status' });
  const before = button('↑', 'Match before (Shift+Enter)', () => move(-1));
  const after = button('↓', 'Next match (Enter)', () => move(1));

  const move = (by: number): void => {
    if (matches.length > 0) {
      at = (at + by + matches.length) % matches.length;
      setText(count, `${(at + 1).toLocaleString('en')} of ${matches.length.toLocaleString('en')}`);
      go(matches[at] ?? 0);
    }
  };
  const find = async (jump: boolean): Promise<void> => {
    const inside = tokens;
    const sought = field.value;
    at = -1;
    matches = [];
    before.hidden = after.hidden = sought === '';
    if (!inside || sought === '') {
      setText(count, '');
      found(null);
      return;
    }
    if (!inside.whole) {
      setText(count, 'fetching…');
      await inside.loadAll();
      loaded();
    }
    if (inside !== tokens || sought !== field.value) {
      return;
    }
    const made = matchesOf(inside, sought);
    matches = made.first;
    found(made.marks);
    setText(count, matches.length === 0 ? 'none' : matches.length.toLocaleString('en'));
    if (jump) {
      move(1);
    }
  };
  const later = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => void find(true), PAUSE);
  };
  field.addEventListener('input', later);
  field.addEventListener('keydown', event => {
    event.stopPropagation();
    if (event.key === 'Enter') {
      event.preventDefault();
      move(event.shiftKey ? -1 : 1);
    }
  });
  before.hidden = after.hidden = true;
  return {
    element: element('div', { class: 'ft-finder', role: 'search' }, field, count, before, after),
    use: other => {
      tokens = other;
      if (field.value !== '') {
        void find(false);
      }
    },
  };
}

/** Where `sought` is in the text, capital or not: the first token of each match, and a mark on all of its tokens. */
export function matchesOf(tokens: SampleTokens, sought: string): { first: number[]; marks: Uint8Array } {
  const { text, starts } = tokens.decoded();
  const marks = new Uint8Array(tokens.length);
  const first: number[] = [];
  const pattern = new RegExp(sought.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), 'gi');
  let token = 0;
  for (const { index, 0: match } of text.matchAll(pattern)) {
    while (token + 1 < tokens.length && (starts[token + 1] ?? 0) <= index) {
      token += 1;
    }
    first.push(token);
    for (let each = token; each < tokens.length && (starts[each] ?? 0) < index + match.length; each += 1) {
      marks[each] = 1;
    }
  }
  return { first, marks };
}
