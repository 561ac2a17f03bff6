/** How bad a finding is, as a drawing and a word. */

import { element, icon } from '../shared/dom';
import { CROSS, DOTS, QUESTION, WARNING } from '../shared/icons';
import type { Flag } from './protocol';

export const DRAWINGS: Record<Flag['severity'], string> = {
  broken: CROSS,
  wrong: WARNING,
  suspicious: QUESTION,
  notable: DOTS,
};

export const SEVERITIES = Object.keys(DRAWINGS) as Flag['severity'][];

export function severityChip(severity: Flag['severity']): HTMLElement {
  return element(
    'span',
    { class: 'ft-chip ft-severity', 'data-severity': severity },
    icon(DRAWINGS[severity]),
    severity,
  );
}
