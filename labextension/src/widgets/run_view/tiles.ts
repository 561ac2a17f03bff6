/** The numbers of a run that a person looks at first. */

import { element, setText } from '../shared/dom';
import { digits } from '../shared/numbers';
import type { Curves } from './curves';
import { last } from './curves';

export interface Tiles {
  element: HTMLElement;
  draw(curves: Curves): void;
}

export function tiles(): Tiles {
  const list = element('dl', { class: 'ft-tiles' });
  const tile = (label: string): ((value: string, note: string) => void) => {
    const value = element('dd', { class: 'ft-tile-value' }, '–');
    const note = element('dd', { class: 'ft-tile-note' });
    list.append(element('div', { class: 'ft-tile' }, element('dt', {}, label), value, note));
    return (newValue, newNote) => {
      setText(value, newValue);
      setText(note, newNote);
    };
  };
  const loss = tile('loss');
  const evalLoss = tile('eval loss');
  const rate = tile('learning rate');
  const norm = tile('gradient norm');
  const speed = tile('tokens/s');
  return {
    element: list,
    draw: ({ steps, evals }) => {
      loss(digits(last(steps.loss)), note('smoothed', last(steps.smoothed)));
      const best = least(evals.loss);
      const at = evals.step.at(-1);
      evalLoss(
        digits(last(evals.loss)),
        at === undefined ? '' : `at step ${whole(at)}, best ${digits(best)}`,
      );
      rate(scientific(last(steps.learning_rate)), note('peak', greatest(steps.learning_rate), scientific));
      norm(digits(last(steps.grad_norm)), note('highest', greatest(steps.grad_norm)));
      speed(whole(last(steps.tokens_per_second)), note('mean', mean(steps.tokens_per_second), whole));
    },
  };
}

function note(word: string, value: number, write: (value: number) => string = digits): string {
  return Number.isFinite(value) ? `${word} ${write(value)}` : '';
}

function scientific(value: number): string {
  return Number.isFinite(value) && value !== 0 ? value.toExponential(2) : digits(value);
}

function whole(value: number): string {
  return Number.isFinite(value) ? Math.round(value).toLocaleString('en') : '–';
}

// Loops, because a spread of many thousand values overflows the stack.
function greatest(values: number[]): number {
  return values.reduce((most, value) => (value > most || Number.isNaN(most) ? value : most), NaN);
}

function least(values: number[]): number {
  return -greatest(values.map(value => -value));
}

function mean(values: number[]): number {
  const known = values.filter(Number.isFinite);
  return known.reduce((sum, value) => sum + value, 0) / known.length;
}
