/** What a run is doing, in words and as a share of the whole. */

import { digits, duration } from '../shared/numbers';
import type { Run } from './protocol';
import { isOver } from './protocol';

/** What the run is doing, beside its state: `step 12 of 60`, `tokenizing 340 of 817`, `loading model`. */
export function activity(run: Run): string {
  const { state, phase, phase_done, phase_total, total_steps } = run;
  const steps =
    total_steps > 0 ? `step ${count(run.step)} of ${count(total_steps)}` : `step ${count(run.step)}`;
  const reached = run.step > 0;
  switch (state) {
    case 'completed':
      return `${count(run.step)} ${run.step === 1 ? 'step' : 'steps'}`;
    case 'stopped':
      return reached ? `after ${steps}` : 'before the first step';
    case 'failed':
      return reached ? `at ${steps}` : 'before the first step';
    case 'lost':
      return `its process is gone; last seen ${reached ? `at ${steps}` : 'before the first step'}`;
    default:
  }
  if (phase === 'training' && total_steps > 0) {
    return state === 'stopping' ? `${steps}, then it saves and exits` : steps;
  }
  if (phase_total) {
    return `${phase} ${count(phase_done ?? 0)} of ${count(phase_total)}`;
  }
  return phase;
}

function count(value: number): string {
  return value.toLocaleString('en');
}

/** How much is done, from 0 to 1; null where nobody can know. */
export function share(run: Run): number | null {
  const { state, phase, phase_done, phase_total, step, total_steps } = run;
  if (state === 'completed') {
    return 1;
  }
  if (!isOver(state) && phase !== 'training' && phase_total) {
    return Math.min(1, (phase_done ?? 0) / phase_total);
  }
  const inSteps = isOver(state) || phase === 'training' || phase === 'saving';
  return inSteps && total_steps > 0 ? Math.min(1, step / total_steps) : isOver(state) ? 0 : null;
}

/** Time gone and time left: `1 min 02 s, about 3 min 10 s left`. */
export function times(run: Run, elapsed: number | null): string {
  const left = run.eta === null || isOver(run.state) ? '' : `about ${duration(run.eta)} left`;
  return [elapsed === null ? '' : duration(elapsed), left].filter(Boolean).join(', ');
}

/** One sentence for a screen reader. */
export function spoken(run: Run, loss: number): string {
  const parts = [run.state, activity(run)];
  if (Number.isFinite(loss)) {
    parts.push(`loss ${digits(loss)}`);
  }
  if (run.eta !== null && !isOver(run.state)) {
    parts.push(`about ${duration(run.eta)} left`);
  }
  return `${run.name}: ${parts.filter(Boolean).join(', ')}`;
}
