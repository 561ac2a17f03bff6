/** What the parts of an inspector have in common: how each asks the kernel, and is told of what changed. */

import type { Announcer } from '../shared/announcer';
import type { Plotly } from '../shared/plotly';
import type { Progress, Replies, Requests, State } from './protocol';

/** A reply of the kernel with its buffers. */
export interface Reply<Name extends keyof Replies> {
  message: Replies[Name];
  buffers: DataView[];
}

/** An error of the kernel, or of the connection to it. */
export interface Refusal {
  message: string;
  fix: string;
}

/** What a part may use of the inspector around it. */
export interface Inspector {
  /** Ask the kernel; rejects with a Refusal. */
  ask<Name extends keyof Requests & keyof Replies>(name: Name, request: Requests[Name]): Promise<Reply<Name>>;
  /** Send what has no reply. */
  tell(
    message: { type: 'scan' | 'parity_all'; action: 'start' | 'cancel' } | { type: 'search'; text: string },
  ): void;
  /** Show a row in the sample view, and the tokens from `token` on. */
  open(place: number, sample?: number, token?: number): void;
  /** Show the rows of a flag in the list; null shows all. */
  filter(flag: string | null): void;
  /** Say something to screen readers. */
  announcer: Announcer;
  /** The page's plotly.js. */
  plotly(): Promise<Plotly>;
}

/** A part of the inspector: an element, and what changes it. */
export interface Panel {
  element: HTMLElement;
  /** Called whenever the kernel sends its state. */
  showState(state: State): void;
  /** Called at most four times a second while a pass over the set goes on. */
  showProgress(progress: Progress): void;
  /** Called when the panel comes to be seen; what is expensive to draw waits for it. */
  shown?(): void;
  destroy?(): void;
}

/** A part of the sample view. */
export interface SamplePanel extends Panel {
  /** Called whenever the sample view shows another sample, or the same one tokenised anew. */
  showSample(place: number, sample: number): void;
}

/**
 * The losses to show on the tokens of the sample, NaN where a token has none; null shows none. `model` is a name of
 * State.models, or `difference` for base minus tuned. `lossStep` of losses.ts gives a token's `data-loss`,
 * `lossWords` what is said of it, and panels.css the `--ft-loss-ground` of each.
 */
export type OnLosses = (values: Float32Array | null, model: string) => void;
