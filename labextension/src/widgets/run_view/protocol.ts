/** The messages of a run view, as docs/reference/widget-messages.md specifies them, and how a page follows them. */

import { float32s } from '../shared/numbers';

export type State = 'starting' | 'running' | 'stopping' | 'completed' | 'stopped' | 'failed' | 'lost';

export interface Run {
  name: string;
  directory: string;
  state: State;
  phase: string;
  phase_done: number | null;
  phase_total: number | null;
  step: number;
  total_steps: number;
  /** Seconds. */
  eta: number | null;
  /** Seconds. */
  elapsed: number | null;
  message: string;
  fix: string;
  traceback: string | null;
  world_size: number;
  attach: string;
  trackers: Tracker[];
  /** Steps after which the adapter was begun anew. */
  restarts: number[];
}

/** Where else the run can be seen. */
export interface Tracker {
  name: string;
  /** A page, or a place on the run's machine. */
  address: string;
}

/** What the model wrote behind a prompt, beside what the data has there. */
export interface Sample {
  step: number;
  prompt: string;
  text: string;
  reference: string;
}

export interface Warning {
  message: string;
  fix: string;
}

interface Update {
  seq: number;
  run: Run;
  warnings: Warning[];
  samples: Sample[];
  series: string[];
  eval: string[];
}

export type FromKernel =
  | { type: 'plotly' }
  | (Update & { type: 'snapshot'; log: string })
  | (Update & { type: 'delta'; log_append: string });

export type ToKernel =
  | { type: 'hello'; have: number }
  | { type: 'plotly' }
  | { type: 'stop'; now: boolean }
  | { type: 'checkpoint' }
  | { type: 'inspect' };

/** Columns of equal length by name; NaN is a missing value. */
export type Columns = Record<string, number[]>;

/** What one message brings: everything (`whole`) or what is new. */
export interface News {
  whole: boolean;
  run: Run;
  warnings: Warning[];
  samples: Sample[];
  log: string;
  steps: Columns;
  evals: Columns;
}

/** Whether the state is one that no run leaves. */
export function isOver(state: State): boolean {
  return state === 'completed' || state === 'stopped' || state === 'failed' || state === 'lost';
}

/**
 * Reads the messages of one view in order.
 *
 * A message that does not follow the last one means that something was missed: the page says hello again, and is
 * answered with everything. So a lost message, a reloaded page and a second view heal the same way.
 */
export class Feed {
  /** Number of the last message taken; 0 before the first. */
  have = 0;
  private asked = false;

  constructor(private readonly send: (message: ToKernel) => void) {}

  /** Ask for everything. */
  hello(): void {
    this.asked = true;
    this.send({ type: 'hello', have: this.have });
  }

  /** What the message brings, or null where it does not follow the last one. */
  take(message: Extract<FromKernel, Update>, buffers: DataView[]): News | null {
    const whole = message.type === 'snapshot';
    if (!whole && (this.asked || message.seq !== this.have + 1)) {
      if (!this.asked) {
        this.hello();
      }
      return null;
    }
    this.have = message.seq;
    this.asked = false;
    const columns = (names: string[], first: number): Columns =>
      Object.fromEntries(names.map((name, i) => [name, readColumn(buffers[first + i])]));
    return {
      whole,
      run: message.run,
      warnings: message.warnings,
      samples: message.samples,
      log: whole ? message.log : message.log_append,
      steps: columns(message.series, 0),
      evals: columns(message.eval, message.series.length),
    };
  }
}

function readColumn(buffer: DataView | undefined): number[] {
  return buffer ? float32s(buffer) : [];
}
