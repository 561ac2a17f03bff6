/** Why a run failed and what to do, and what it warned about. */

import { element, icon, setText } from '../shared/dom';
import { WARNING } from '../shared/icons';
import type { Run, Warning } from './protocol';

export interface Notices {
  element: HTMLElement;
  draw(run: Run): void;
  warn(warnings: Warning[], whole: boolean): void;
}

export function notices(): Notices {
  const message = element('p', { class: 'ft-problem-message' });
  const fix = element('p', { class: 'ft-problem-fix' });
  const trace = element('pre', { class: 'ft-text', tabindex: 0, 'aria-label': 'traceback' });
  const details = element('details', {}, element('summary', {}, 'Traceback'), trace);
  const box = element(
    'div',
    { class: 'ft-problem', role: 'alert', hidden: true },
    icon(WARNING),
    element('div', {}, message, fix, details),
  );
  const summary = element('summary');
  const list = element('ul');
  const warned = element('details', { class: 'ft-warnings', hidden: true, open: true }, summary, list);
  return {
    element: element('div', { class: 'ft-notices' }, box, warned),
    draw: run => {
      setText(message, run.message);
      setText(fix, run.fix);
      setText(trace, run.traceback ?? '');
      fix.hidden = !run.fix;
      details.hidden = !run.traceback;
      box.hidden = !run.message;
    },
    warn: (warnings, whole) => {
      const items = warnings.map(warning =>
        element(
          'li',
          {},
          icon(WARNING),
          element('div', {}, warning.message, element('span', { class: 'ft-warning-fix' }, warning.fix)),
        ),
      );
      if (whole) {
        list.replaceChildren(...items);
      } else {
        list.append(...items);
      }
      const count = list.childElementCount;
      setText(summary, count === 1 ? '1 warning' : `${count} warnings`);
      warned.hidden = count === 0;
    },
  };
}
