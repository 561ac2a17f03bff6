/** The head of a run view: state, name, what it does now, how far it is, and the time. */

import { element, icon, setText } from '../shared/dom';
import { CHECK, CROSS, DOTS, PAUSE, PLAY, QUESTION, SQUARE } from '../shared/icons';
import type { Run, State } from './protocol';
import { isOver } from './protocol';
import { activity, share, times } from './sentences';

/** Seconds of silence of the kernel after which the clock stops and the silence is shown instead. */
export const SILENCE = 30;

const ICONS: Record<State, string> = {
  starting: DOTS,
  running: PLAY,
  stopping: PAUSE,
  completed: CHECK,
  stopped: SQUARE,
  failed: CROSS,
  lost: QUESTION,
};

export interface Header {
  element: HTMLElement;
  /** Where buttons go. */
  actions: HTMLElement;
  draw(run: Run): void;
  /** Show that the kernel has not answered yet. */
  wait(text: string): void;
  /** Move the clock on; `silence` is in seconds since the kernel's last word. */
  tick(silence: number): void;
}

export function header(name: string): Header {
  const chip = element('span', { class: 'ft-chip' });
  const title = element('strong', { class: 'ft-run-name' }, name);
  const doing = element('span', { class: 'ft-run-doing' });
  const ranks = element('span', { class: 'ft-run-ranks' });
  const actions = element('div', { class: 'ft-actions' });
  const fill = element('div', { class: 'ft-bar-fill' });
  const bar = element(
    'div',
    { class: 'ft-bar', role: 'progressbar', 'aria-valuemin': 0, 'aria-valuemax': 100 },
    fill,
  );
  const percent = element('span');
  const clock = element('span');
  let drawn: Run | null = null;

  const setChip = (state: string, path: string): void => {
    if (chip.dataset.state !== state) {
      chip.dataset.state = state;
      chip.replaceChildren(icon(path), state);
    }
  };
  const setBar = (done: number | null, label: string): void => {
    bar.toggleAttribute('data-unknown', done === null);
    bar.setAttribute('aria-label', label);
    if (done === null) {
      bar.removeAttribute('aria-valuenow');
      fill.style.width = '';
    } else {
      bar.setAttribute('aria-valuenow', String(Math.floor(100 * done)));
      fill.style.width = `${100 * done}%`;
    }
    setText(percent, done === null ? '' : `${Math.floor(100 * done)}%`);
  };
  setChip('connecting', ICONS.starting);
  setBar(null, 'progress');

  return {
    element: element(
      'header',
      { class: 'ft-run-head' },
      element('div', { class: 'ft-run-line' }, chip, title, doing, ranks, actions),
      bar,
      element('div', { class: 'ft-run-times' }, percent, clock),
    ),
    actions,
    draw: run => {
      drawn = run;
      setChip(run.state, ICONS[run.state]);
      setText(title, run.name);
      setText(doing, activity(run));
      setText(ranks, run.world_size > 1 ? `${run.world_size} processes` : '');
      setBar(share(run), run.phase || 'progress');
      bar.setAttribute('aria-valuetext', activity(run));
      bar.dataset.state = run.state;
      setText(clock, times(run, run.elapsed));
    },
    wait: text => setText(doing, text),
    tick: silence => {
      if (!drawn || isOver(drawn.state)) {
        return;
      }
      setText(
        clock,
        silence > SILENCE
          ? `no word from the kernel for ${Math.round(silence)} s; the run does not depend on it`
          : times(drawn, drawn.elapsed === null ? null : drawn.elapsed + Math.floor(silence)),
      );
    },
  };
}
