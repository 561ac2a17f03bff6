/** What is wrong or suspicious with the set, worst first. */

import { element } from '../shared/dom';
import type { Inspector, Panel } from './panel';

export function findingsPanel(inspector: Inspector): Panel {
  void inspector;

  return {
    element: element('div', { class: 'ft-findings' }),
    showState: () => undefined,
    showProgress: () => undefined,
  };
}
