/** The head of a run view: state, name, what it does now, how far it is, and the time. */

import { element, icon, setText } from '../shared/dom';
import type { Run, State } from './protocol';
import { isOver } from './protocol';
import { activity, share, times } from './sentences';

/** Seconds of silence of the kernel after which the clock stops and the silence is shown instead. */
export const SILENCE = 30;

const ICONS: Record<State, string> = {
  starting: 'M3 6.5h2v3H3zm4 0h2v3H7zm4 0h2v3h-2z',
  running: 'M4 2.5 13.5 8 4 13.5z',
  stopping: 'M4 4h3v8H4zm5 0h3v8H9z',
  completed: 'M6.4 12.6 2 8.2l1.5-1.5 2.9 2.9 6.1-6.2L14 4.9z',
  stopped: 'M3.5 3.5h9v9h-9z',
  failed: 'M8 6.5 12 2.4 13.6 4 9.5 8l4.1 4-1.6 1.6L8 9.5l-4 4.1L2.4 12 6.5 8 2.4 4 4 2.4zM8 8z',
  lost: 'M7 10.2h2v-.9c2-.6 3-1.800 3-3.400C12 3.700 10.300 2.200 8 2.200S4 3.700 4 5.900h2c0-1.100.8-1.800 2-1.800s2 .7 2 1.800c0 1.200-.8 1.600-2 1.900-.7.2-1 .5-1 1.100zm0 1.500h2v2H7z',
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
    setText(percent, done === null ? '' : `${Math.floor(100 * done)} %`);
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
