/** The loss of each token. */

import { element } from '../shared/dom';
import type { Inspector, OnLosses, SamplePanel } from './panel';

export function lossesPanel(inspector: Inspector, onLosses: OnLosses): SamplePanel {
  void inspector;
  void onLosses;
  return {
    element: element('div', { class: 'ft-losses' }),
    showState: () => undefined,
    showProgress: () => undefined,
    showSample: () => undefined,
  };
}

/** The `data-loss` of a token: `0` to `6`, for a difference `-3` to `3`, empty where it has no loss. */
export function lossStep(value: number, model: string): string {
  if (Number.isNaN(value)) {
    return '';
  }
  if (model === 'difference') {
    return String(Math.max(-3, Math.min(3, Math.round(value))));
  }
  return String(Math.min(6, Math.floor(value)));
}
