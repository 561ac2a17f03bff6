/** Whether chat will ask as training has taught. */

import { element } from '../shared/dom';
import type { Inspector, SamplePanel } from './panel';

export function parityPanel(inspector: Inspector): SamplePanel {
  void inspector;

  return {
    element: element('div', { class: 'ft-parity' }),
    showState: () => undefined,
    showProgress: () => undefined,
    showSample: () => undefined,
  };
}
