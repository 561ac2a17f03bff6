/** What the model wrote at each evaluation: the newest first, folded until somebody looks. */

import { element, setText } from '../shared/dom';
import type { Sample } from './protocol';

/** Most samples kept; all are in the run's events. */
export const LIMIT = 60;

export interface Samples {
  element: HTMLElement;
  add(samples: Sample[], whole: boolean): void;
}

export function samples(): Samples {
  const summary = element('summary');
  const list = element('ol', { class: 'ft-samples-list', reversed: true });
  const details = element('details', { class: 'ft-samples', hidden: true }, summary, list);
  return {
    element: details,
    add: (added, whole) => {
      if (whole) {
        list.replaceChildren();
      }
      // Kept oldest first by the kernel, so that what comes last ends up at the top.
      for (const sample of added) {
        list.prepend(item(sample));
      }
      while (list.childElementCount > LIMIT) {
        list.lastElementChild?.remove();
      }
      const count = list.childElementCount;
      setText(summary, count === 1 ? '1 sample of the model' : `${count} samples of the model`);
      details.hidden = count === 0;
    },
  };
}

function item(sample: Sample): HTMLElement {
  return element(
    'li',
    {},
    element('div', { class: 'ft-sample-step' }, `after step ${sample.step.toLocaleString('en')}`),
    element(
      'dl',
      {},
      ...part('prompt', sample.prompt),
      ...part('model', sample.text),
      ...part('data', sample.reference),
    ),
  );
}

/** A name and a text; the text of a model or of data is text, whatever it holds. */
function part(name: string, words: string): HTMLElement[] {
  return [
    element('dt', {}, name),
    element('dd', {}, element('pre', { class: `ft-text ft-sample-${name}`, dir: 'auto' }, words)),
  ];
}
