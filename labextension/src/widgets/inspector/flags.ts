/** How a flag of a row looks: an icon for how bad it is, and its name. */

import { element, icon } from '../shared/dom';
import type { Flag } from './protocol';
import { DRAWINGS } from './severity';

/** The flag as a word with its icon; a name that the kernel did not explain is shown as it is. */
export function flagMark(name: string, flags: readonly Flag[]): HTMLElement {
  const flag = flags.find(each => each.name === name);
  const mark = element(
    'span',
    { class: 'ft-flag', title: flag?.description },
    icon(DRAWINGS[flag?.severity ?? 'notable']),
    flag?.title ?? name,
  );
  mark.dataset.severity = flag?.severity ?? 'notable';
  return mark;
}
