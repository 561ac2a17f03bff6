/** Text to the clipboard. */

import type { Announcer } from '../shared/announcer';
import { button, setText } from '../shared/dom';

/** Milliseconds for which a button says that it has copied. */
export const SAID = 1500;

/** A button that copies what `text` gives when it is pressed, and says so. */
export function copyButton(
  label: string,
  title: string,
  announcer: Announcer,
  text: () => string | Promise<string>,
): HTMLButtonElement {
  const made = button(label, title, () => {
    void Promise.resolve(text())
      .then(copy)
      .catch(() => false)
      .then(done => {
        const said = done ? 'Copied' : 'The page may not copy';
        announcer.say(said);
        setText(made, said);
        setTimeout(() => setText(made, label), SAID);
      });
  });
  return made;
}

/** Whether the text is on the clipboard now. */
async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelection(text); // a page that came over http has no clipboard
  }
}

function copySelection(text: string): boolean {
  const held = document.activeElement;
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'ft-unseen';
  document.body.append(area);
  area.focus({ preventScroll: true });
  area.select();
  try {
    return document.execCommand('copy');
  } catch {
    return false;
  } finally {
    area.remove();
    if (held instanceof HTMLElement) {
      held.focus({ preventScroll: true });
    }
  }
}
