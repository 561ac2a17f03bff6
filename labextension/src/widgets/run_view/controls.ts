/** Inspect data, Checkpoint now and Stop. */

import { button, element, setText } from '../shared/dom';
import type { Run, ToKernel } from './protocol';
import { isOver } from './protocol';

export interface Controls {
  buttons: HTMLElement[];
  /** What a stop means at this point, and the question before ending at once. */
  element: HTMLElement;
  draw(run: Run): void;
  freeze(): void;
}

const GENTLY = 'Finish the step, save, exit';
const AT_ONCE = 'End the run without saving';

export function controls(name: string, send: (message: ToKernel) => void): Controls {
  let asked = false;
  /** The step at which a checkpoint was asked for: asking again helps only after it. */
  let checkpointAt: number | null = null;
  let step = 0;

  const checkpoint = button('Checkpoint now', 'Save a checkpoint at the end of this step', () => {
    checkpointAt = step;
    checkpoint.disabled = true;
    setText(checkpoint, 'Checkpoint asked');
    send({ type: 'checkpoint' });
  });
  const inspect = button('Inspect data', 'Open an inspector of the data below', () => {
    send({ type: 'inspect' });
    setText(opened, `The inspector opens below; %ft inspect ${name} opens it in any cell.`);
    opened.hidden = false;
  });
  const opened = element('p', { class: 'ft-inspect-note', hidden: true });
  const stop = button('Stop', GENTLY, () => {
    if (asked) {
      confirm.hidden = false;
      keep.focus();
      return;
    }
    send({ type: 'stop', now: false });
    ask();
  });
  const explanation = element('p', { class: 'ft-stop-note', hidden: true });
  const end = button('End it now', AT_ONCE, () => {
    confirm.hidden = true;
    send({ type: 'stop', now: true });
    setText(explanation, 'Ending now.');
  });
  const keep = button('Let it finish', GENTLY, () => {
    confirm.hidden = true;
    stop.focus();
  });
  end.classList.add('ft-button-danger');
  const confirm = element(
    'div',
    { class: 'ft-confirm', role: 'group', 'aria-label': 'end the run now', hidden: true },
    element('span', {}, 'End it now? What it learned since its last checkpoint is lost.'),
    end,
    keep,
  );
  const ask = (): void => {
    asked = true;
    setText(stop, 'Stop now');
    stop.title = AT_ONCE;
    checkpoint.hidden = true;
    setText(explanation, 'It finishes the step, saves and exits.');
    explanation.hidden = false;
  };
  const hide = (): void => {
    for (const part of [inspect, opened, stop, checkpoint, explanation, confirm]) {
      part.hidden = true;
    }
  };
  hide();

  return {
    buttons: [inspect, checkpoint, stop],
    element: element('div', { class: 'ft-stop' }, opened, explanation, confirm),
    draw: run => {
      step = run.step;
      if (isOver(run.state)) {
        hide();
        return;
      }
      stop.hidden = false;
      inspect.hidden = false;
      checkpoint.hidden = asked || run.phase !== 'training';
      if (run.state === 'stopping' && !asked) {
        ask();
      }
      if (checkpointAt !== null && step > checkpointAt) {
        checkpointAt = null;
        checkpoint.disabled = false;
        setText(checkpoint, 'Checkpoint now');
      }
    },
    freeze: hide,
  };
}
