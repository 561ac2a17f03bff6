/** The set in numbers. */

import { element } from '../shared/dom';
import type { Inspector, Panel } from './panel';

export function summaryPanel(inspector: Inspector): Panel {
  void inspector;

  return {
    element: element('div', { class: 'ft-summary' }),
    showState: () => undefined,
    showProgress: () => undefined,
  };
}
