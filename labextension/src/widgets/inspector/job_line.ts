/** How far a pass over the set is, and the button that starts or ends it. */

import { button, element, setText } from '../shared/dom';
import { duration } from '../shared/numbers';
import { many, percent, whole } from './figures';
import type { Job } from './protocol';

export interface JobLine {
  element: HTMLElement;
  show(job: Job): void;
}

/** What a job is called before it runs, and how it is started and ended. */
export interface JobWords {
  /** Of the button that starts it. */
  start: string;
  /** Said before it was ever started. */
  idle: string;
  tell(action: 'start' | 'cancel'): void;
}

export function jobLine({ start, idle, tell }: JobWords): JobLine {
  const words = element('span', { class: 'ft-job-words' }, idle);
  const begin = button(start, start, () => tell('start'));
  const cancel = button('Cancel', 'End the pass; what it has counted stays', () => tell('cancel'));
  cancel.hidden = true;
  const filled = element('div', { class: 'ft-job-filled' });
  const bar = element(
    'div',
    {
      class: 'ft-job-bar',
      role: 'progressbar',
      'aria-label': start,
      'aria-valuemin': 0,
      'aria-valuemax': 100,
    },
    filled,
  );
  bar.hidden = true;
  const line = element(
    'div',
    { class: 'ft-job' },
    element('div', { class: 'ft-job-line' }, words, begin, cancel),
    bar,
  );
  return {
    element: line,
    show: job => {
      line.dataset.state = job.state;
      setText(words, job.state === 'idle' ? idle : sentence(job));
      const running = job.state === 'running';
      // The button that was pressed goes: the one in its place takes the focus.
      const held = begin === document.activeElement || cancel === document.activeElement;
      begin.hidden = running || job.state === 'done';
      cancel.hidden = !running;
      setText(begin, job.state === 'idle' ? start : 'Start again');
      if (held) {
        (running ? cancel : begin).focus();
      }
      bar.hidden = !running;
      filled.style.width = `${job.total ? (job.done / job.total) * 100 : 0}%`;
      bar.setAttribute('aria-valuenow', String(job.total ? Math.floor((job.done / job.total) * 100) : 0));
      bar.setAttribute('aria-valuetext', sentence(job));
    },
  };
}

function sentence({ state, done, total, seconds, message }: Job): string {
  switch (state) {
    case 'idle':
      return '';
    case 'running':
      return `${whole(done)} of ${many(total, 'row')} (${percent(done, total)})${left(done, total, seconds)}`;
    case 'done':
      return `All of ${many(total, 'row')}, in ${seconds < 1 ? 'under 1 s' : duration(seconds)}.`;
    case 'cancelled':
      return `Ended after ${whole(done)} of ${many(total, 'row')}.`;
    case 'failed':
      return message || 'The pass failed.';
  }
}

/** A guess needs some rows and a second of them. */
function left(done: number, total: number, seconds: number): string {
  return done > 0 && seconds >= 1 ? `, about ${duration((seconds / done) * (total - done))} left` : '';
}
