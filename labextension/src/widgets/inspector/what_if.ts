/** The sample with other settings. */

import { element } from '../shared/dom';
import type { Inspector, Panel } from './panel';

export function whatIfPanel(inspector: Inspector): Panel {
  void inspector;

  return {
    element: element('div', { class: 'ft-what-if' }),
    showState: () => undefined,
    showProgress: () => undefined,
  };
}
