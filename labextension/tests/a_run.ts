import type { Run } from '../src/widgets/run_view/protocol';

/** A run at step 2 of 60, but for `change`. */
export function aRun(change: Partial<Run> = {}): Run {
  return {
    name: 'cynic',
    directory: '/home/ana/runs/cynic',
    state: 'running',
    phase: 'training',
    phase_done: null,
    phase_total: null,
    step: 2,
    total_steps: 60,
    eta: 116,
    elapsed: 4,
    message: '',
    fix: '',
    traceback: null,
    world_size: 1,
    attach: '%ft attach cynic',
    trackers: [],
    restarts: [],
    ...change,
  };
}

export const STEPS = [
  'step',
  'loss',
  'learning_rate',
  'grad_norm',
  'tokens_per_second',
  'gpu_memory',
  'rewards/margins',
  'rewards/accuracies',
];
export const EVALS = ['step', 'loss'];

/** Columns as the buffers of one message, each at an odd byte of a larger one. */
export function columns(steps: number[][], evals: number[][] = []): DataView[] {
  const filled = (rows: number[][], width: number): number[][] =>
    Array.from({ length: width }, (_, column) => rows.map(row => row[column] ?? NaN));
  return [...filled(steps, STEPS.length), ...filled(evals, EVALS.length)].map(column => {
    const bytes = new Uint8Array(new Float32Array(column).buffer);
    const whole = new Uint8Array(bytes.length + 3);
    whole.set(bytes, 1);
    return new DataView(whole.buffer, 1, bytes.length);
  });
}

export function snapshot(seq: number, run: Run, more: object = {}): object {
  return {
    type: 'snapshot',
    seq,
    run,
    warnings: [],
    samples: [],
    log: '',
    series: STEPS,
    eval: EVALS,
    ...more,
  };
}

export function delta(seq: number, run: Run, more: object = {}): object {
  return {
    type: 'delta',
    seq,
    run,
    warnings: [],
    samples: [],
    log_append: '',
    series: STEPS,
    eval: EVALS,
    ...more,
  };
}
