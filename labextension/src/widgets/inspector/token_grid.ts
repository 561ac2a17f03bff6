/** The tokens of a sample as boxes, line by line. */

import { element, setText } from '../shared/dom';
import { lossStep } from './losses';
import type { SampleTokens } from './sample_tokens';
import { visible } from './signs';
import { Lines, label, measuring } from './token_lines';
import type { Labels } from './token_lines';
import { windowed } from './windowed';

/** Pixels of a line of tokens, and of what stands before it. */
const LINE = 30;
const RAIL = 92;
/** Pixels that a line leaves free at its end, because widths are measured and not drawn. */
const SPARE = 10;
/** Pixels for tokens that there are at least; a narrower box cuts them off. */
const NARROWEST = 120;

export interface TokenGrid {
  element: HTMLElement;
  /** Show a sample; `keep` stays at the token that was first. */
  show(tokens: SampleTokens, labels: Labels, keep: boolean): void;
  /** More tokens have come. */
  extend(): void;
  /** Move to a token and choose it, and give it the focus where `focus` is set. */
  go(token: number, focus?: boolean): void;
  /** Mark tokens that were found. */
  found(marks: Uint8Array | null): void;
  /** Mark the tokens of the span that `token` is in, and move to the first. */
  markSpan(token: number): void;
  /** Show the losses of a model. */
  losses(values: Float32Array | null, model: string): void;
  destroy(): void;
}

/** Whom a grid tells. */
export interface GridEvents {
  /** Another token is pointed at or chosen; null: none. */
  token(token: number | null): void;
  /** Tokens can be seen that are not here. */
  missing(token: number): void;
}

/** `detail` is the id of what describes the chosen token. */
export function tokenGrid(events: GridEvents, detail: string): TokenGrid {
  let tokens: SampleTokens | null = null;
  let labels: Labels = 'tokens';
  let lines = new Lines(() => 0);
  let chosen = 0;
  let marks: Uint8Array | null = null;
  let span: { start: number; end: number } | null = null;
  let losses: { values: Float32Array; model: string } | null = null;

  const now = element('div', { class: 'ft-rail-now', 'aria-hidden': 'true' });
  const view = windowed({
    height: LINE,
    make: line => makeLine(line),
    drawn: () => {
      const { first, count } = view.seen();
      const top = tokens && lines.at(first);
      const turn = tokens && top ? tokens.turn(top.start) : undefined;
      setText(now, top && turn && turn.start < top.start ? turnName(turn) : '');
      now.dataset.role = turn?.role ?? '';
      // What is missing among the lines that can be seen, and just after them.
      for (let line = first; tokens && line < Math.min(lines.count, first + 2 * count); line += 1) {
        const at = lines.at(line);
        if (at && !at.loaded) {
          events.missing(at.start);
          return;
        }
      }
    },
    resized: () => lay(true),
  });
  const { box } = view;
  box.classList.add('ft-tokens');
  box.setAttribute('role', 'grid');
  box.setAttribute('aria-label', 'tokens');
  // One tab stop: the box, which hands the focus on to the chosen token, and stands back while it has it.
  box.tabIndex = 0;

  /** Pixels of the box when it was last displayed. */
  let wide = 0;
  const width = (): number => {
    wide = box.clientWidth || wide;
    return Math.max(NARROWEST, wide - RAIL - SPARE);
  };
  const lay = (keep: boolean): void => {
    if (!tokens) {
      return;
    }
    const top = keep ? (lines.at(view.seen().first)?.start ?? 0) : 0;
    lines = new Lines(measuring(box));
    lines.lay(tokens, labels, width());
    box.setAttribute('aria-rowcount', String(lines.count));
    view.reset(lines.count);
    view.reveal(lines.of(Math.min(top, tokens.length - 1)), true);
  };

  /** Draw all lines that can be seen anew, where they are. */
  const redraw = (): void => {
    view.reset(lines.count);
    if (document.activeElement === box) {
      boxOf(chosen)?.focus({ preventScroll: true });
    }
  };
  const makeLine = (number: number): HTMLElement => {
    const line = lines.at(number);
    const row = element('div', { role: 'row', class: 'ft-line', 'aria-rowindex': number + 1 });
    if (!tokens || !line) {
      return row;
    }
    const turn = tokens.turn(line.start);
    row.dataset.role = turn?.role ?? '';
    row.classList.toggle('ft-odd', turn?.turn !== null && (turn?.turn ?? 0) % 2 === 1);
    const begins = turn?.start === line.start;
    row.classList.toggle('ft-begins', begins && line.start > 0);
    row.append(
      element(
        'span',
        {
          role: 'rowheader',
          class: 'ft-rail',
          title: turn ? turnName(turn) : undefined,
          'aria-label': turn ? turnName(turn) : undefined,
        },
        begins && turn ? turnName(turn) : '',
      ),
    );
    if (!line.loaded) {
      row.append(element('span', { role: 'gridcell', class: 'ft-line-missing' }, '…'));
      return row;
    }
    for (let token = line.start; token < line.end; token += 1) {
      row.append(makeToken(tokens, token));
    }
    return row;
  };
  const makeToken = (from: SampleTokens, token: number): HTMLElement => {
    const piece = from.piece(token);
    const trained = from.trained(token);
    const box = element('span', { role: 'gridcell', class: 'ft-token', tabindex: -1 });
    box.dataset.token = String(token);
    box.dataset.kind = trained ? 'trained' : 'masked';
    if (piece.special) {
      box.dataset.special = '';
    }
    if (piece.partial) {
      box.dataset.partial = '';
    }
    if (marks?.[token]) {
      box.dataset.found = '';
    }
    if (span && token >= span.start && token < span.end) {
      box.dataset.span = '';
    }
    if (token === chosen) {
      mark(box);
    }
    if (losses) {
      box.dataset.loss = lossStep(losses.values[token] ?? NaN, losses.model);
    }
    const shown = label(from, token, labels);
    for (const part of shown) {
      box.append(part.sign ? element('i', {}, part.text) : part.text);
    }
    box.setAttribute(
      'aria-label',
      `token ${piece.partial ? `byte ${piece.bytes}` : `'${visible(piece.text).slice(0, 80)}'`}, id ${from.inputIds[token]}, ${
        trained ? 'trained' : 'masked'
      }`,
    );
    return box;
  };

  const mark = (token: HTMLElement | null): void => {
    token?.setAttribute('data-chosen', '');
    token?.setAttribute('aria-describedby', detail);
  };
  const unmark = (token: HTMLElement | null): void => {
    token?.removeAttribute('data-chosen');
    token?.removeAttribute('aria-describedby');
  };
  const boxOf = (token: number): HTMLElement | null =>
    view.at(lines.of(token))?.querySelector(`[data-token="${token}"]`) ?? null;
  const go = (token: number, focus = false): void => {
    if (!tokens || tokens.length === 0) {
      return;
    }
    const to = Math.max(0, Math.min(tokens.length - 1, token));
    unmark(boxOf(chosen));
    chosen = to;
    view.reveal(lines.of(to));
    const after = boxOf(to);
    mark(after);
    if (focus) {
      after?.focus({ preventScroll: true });
    }
    events.token(to);
  };
  /** The token of another line that is below or above the chosen one. */
  const across = (by: number): number => {
    const from = lines.of(chosen);
    const to = lines.at(Math.max(0, Math.min(lines.count - 1, from + by)));
    const at = boxOf(chosen)?.offsetLeft ?? 0;
    if (!to?.loaded) {
      return to?.start ?? chosen;
    }
    view.reveal(lines.of(to.start));
    let best = to.start;
    for (let token = to.start; token < to.end; token += 1) {
      if (Math.abs((boxOf(token)?.offsetLeft ?? 0) - at) < Math.abs((boxOf(best)?.offsetLeft ?? 0) - at)) {
        best = token;
      }
    }
    return best;
  };
  const target = ({ key, ctrlKey, metaKey }: KeyboardEvent): number | null => {
    const line = lines.at(lines.of(chosen));
    const all = ctrlKey || metaKey;
    switch (key) {
      case 'ArrowRight':
        return chosen + 1;
      case 'ArrowLeft':
        return chosen - 1;
      case 'ArrowDown':
        return across(1);
      case 'ArrowUp':
        return across(-1);
      case 'PageDown':
        return across(view.seen().count);
      case 'PageUp':
        return across(-view.seen().count);
      case 'Home':
        return all ? 0 : (line?.start ?? 0);
      case 'End':
        return all ? (tokens?.length ?? 1) - 1 : (line?.end ?? 1) - 1;
      default:
        return null;
    }
  };
  const pointed = (event: Event): number | null => {
    const at = (event.target as Element).closest<HTMLElement>('.ft-token')?.dataset.token;
    return at === undefined ? null : Number(at);
  };
  box.addEventListener('focus', event => {
    const from = event.relatedTarget;
    if (from instanceof Node && !box.contains(from) && box.matches(':focus-visible')) {
      go(chosen, true);
    }
  });
  box.addEventListener('focusin', event => (box.tabIndex = event.target === box ? 0 : -1));
  box.addEventListener('focusout', () => (box.tabIndex = 0));
  box.addEventListener('keydown', event => {
    const to = event.altKey || event.shiftKey ? null : target(event);
    if (to !== null) {
      event.preventDefault();
      event.stopPropagation();
      go(to, true);
    }
  });
  box.addEventListener('pointerover', event => {
    const token = pointed(event);
    if (token !== null) {
      events.token(token);
    }
  });
  box.addEventListener('pointerleave', () => events.token(chosen));
  box.addEventListener('click', event => {
    const token = pointed(event);
    if (token !== null) {
      go(token, true);
    }
  });

  return {
    element: element('div', { class: 'ft-grid' }, box, now),
    show: (sample, as, keep) => {
      if (!keep) {
        chosen = 0;
      }
      tokens = sample;
      labels = as;
      chosen = Math.max(0, Math.min(chosen, sample.length - 1));
      marks = null;
      span = null;
      losses = null;
      lay(keep);
    },
    extend: () => {
      if (!tokens) {
        return;
      }
      const top = lines.at(view.seen().first)?.start ?? 0;
      lines.extend(tokens, labels, width());
      box.setAttribute('aria-rowcount', String(lines.count));
      redraw();
      if (lines.of(top) !== view.seen().first) {
        view.reveal(lines.of(top), true);
      }
    },
    go,
    found: to => {
      marks = to;
      redraw();
    },
    markSpan: token => {
      const holds = tokens?.span(token);
      const same = span && holds && span.start === holds.start;
      span = holds && !same ? holds : null;
      redraw();
      if (span) {
        go(span.start);
      }
    },
    losses: (values, model) => {
      losses = values && { values, model };
      redraw();
    },
    destroy: view.destroy,
  };
}

function turnName({ role, turn }: { role: string; turn: number | null }): string {
  return turn === null ? role : `${turn + 1} ${role}`;
}
