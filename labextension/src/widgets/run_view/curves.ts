/** The numbers of a run as the page holds them: its steps, its evaluations, and the smoothed loss. */

import type { Columns, News } from './protocol';

/** About how many points the smoothed loss looks back on, in a run of so many steps: a short run has no time for lag. */
export function memory(totalSteps: number): number {
  return Math.min(50, Math.max(4, totalSteps / 20));
}

/**
 * An exponential moving average over about `points` points, that starts at the first value instead of at zero (the
 * correction of Adam, arXiv:1412.6980, section 3). Missing values are passed over.
 */
export class Smoother {
  private sum = 0;
  private weight = 0;
  private readonly past: number;

  constructor(points: number) {
    this.past = 1 - 1 / points;
  }

  next(value: number): number {
    if (!Number.isFinite(value)) {
      return NaN;
    }
    this.sum = this.past * this.sum + (1 - this.past) * value;
    this.weight = this.past * this.weight + (1 - this.past);
    return this.sum / this.weight;
  }
}

/** Names of the step columns that a run view draws. */
export const STEP_COLUMNS = [
  'step',
  'loss',
  'smoothed',
  'learning_rate',
  'grad_norm',
  'tokens_per_second',
  'gpu_memory',
  'rewards/margins',
  'rewards/accuracies',
] as const;
export type StepColumn = (typeof STEP_COLUMNS)[number];
type Steps = Record<StepColumn, number[]>;
type Evals = Record<'step' | 'loss', number[]>;

export interface Curves {
  steps: Steps;
  evals: Evals;
}

export class Recorder {
  all: Curves = read({}, {}, new Smoother(memory(0)));
  private smoother = new Smoother(memory(0));

  /** Take what a message brings; returns the points that are new (all of them after a snapshot). */
  take({ whole, run, steps, evals }: News): Curves {
    if (whole || this.all.steps.step.length === 0) {
      this.smoother = new Smoother(memory(run.total_steps));
    }
    const fresh = read(steps, evals, this.smoother);
    if (whole) {
      this.all = fresh;
    } else {
      append(this.all.steps, fresh.steps);
      append(this.all.evals, fresh.evals);
    }
    return fresh;
  }
}

function read(steps: Columns, evals: Columns, smoother: Smoother): Curves {
  const missing = (steps.step ?? []).map(() => NaN);
  const loss = steps.loss ?? missing;
  return {
    steps: {
      step: steps.step ?? [],
      loss,
      smoothed: loss.map(value => smoother.next(value)),
      learning_rate: steps.learning_rate ?? missing,
      grad_norm: steps.grad_norm ?? missing,
      tokens_per_second: steps.tokens_per_second ?? missing,
      gpu_memory: steps.gpu_memory ?? missing,
      'rewards/margins': steps['rewards/margins'] ?? missing,
      'rewards/accuracies': steps['rewards/accuracies'] ?? missing,
    },
    evals: { step: evals.step ?? [], loss: evals.loss ?? [] },
  };
}

function append<Name extends string>(columns: Record<Name, number[]>, fresh: Record<Name, number[]>): void {
  for (const name of Object.keys(columns) as Name[]) {
    for (const value of fresh[name]) {
      columns[name].push(value);
    }
  }
}

/** The last finite value, or NaN. */
export function last(values: number[]): number {
  return values.findLast(Number.isFinite) ?? NaN;
}
