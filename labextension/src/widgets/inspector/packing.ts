/** The rows that training packs samples into. */

import { element } from '../shared/dom';
import type { Inspector, Panel } from './panel';

export function packingPanel(inspector: Inspector): Panel {
  void inspector;

  return {
    element: element('div', { class: 'ft-packing' }),
    showState: () => undefined,
    showProgress: () => undefined,
  };
}
