/** The messages of an inspector, as docs/reference/widget-messages.md specifies them. */

/** A dataset of the config: places count through all of them, those for evaluation last. */
export interface Dataset {
  path: string;
  type: string;
  split: string;
  purpose: 'train' | 'evaluate';
  rows: number;
}

/** What a row may be found by. */
export interface Flag {
  name: string;
  title: string;
  description: string;
  /** `broken` and `wrong` rows are told first; `notable` ones are no fault. */
  severity: 'broken' | 'wrong' | 'suspicious' | 'notable';
}

/** A key that can be tried out, what it is now and what the config says. */
export interface Knob {
  key: string;
  label: string;
  description: string;
  kind: 'choice' | 'boolean' | 'number' | 'list';
  /** The values of a choice, and of a list what it may hold. */
  choices: (string | null)[];
  value: unknown;
  original: unknown;
}

export interface State {
  generation: number;
  title: string;
  status: 'opening' | 'ready' | 'failed';
  message: string;
  fix: string;
  datasets: Dataset[];
  rows: number;
  tokenizer: string;
  sequence_len: number;
  packing: boolean;
  chat: boolean;
  flags: Flag[];
  knobs: Knob[];
  /** The lines that give a cell the values being tried out; empty where nothing was changed. */
  yaml: string;
  /** The models whose losses can be asked for, such as `tuned` and `base`. */
  models: string[];
}

export interface Job {
  state: 'idle' | 'running' | 'done' | 'cancelled' | 'failed';
  done: number;
  total: number;
  seconds: number;
  message: string;
}

export interface Summary {
  samples: number;
  tokens: number;
  trained: number;
  kept: number;
  longest: number;
  /** Edges of the bars, one more than there are counts. */
  edges: number[];
  counts: number[];
  /** Of each role: tokens, and those of them that are trained. */
  roles: { role: string; tokens: number; trained: number }[];
  dropped: { reason: string; samples: number }[];
  /** The share of packed rows that samples fill; null where nothing is packed. */
  fill: number | null;
  packed_rows: number | null;
}

export interface Finding {
  name: string;
  title: string;
  severity: Flag['severity'];
  count: number;
  share: number;
  reason: string;
  fix: string;
  /** The first of its rows. */
  places: number[];
  /** The flag whose rows these are, null where it is about the whole set. */
  flag: string | null;
}

export interface Progress {
  generation: number;
  jobs: { scan: Job; search: Job; parity: Job };
  counts: Record<string, number>;
  found: number;
  summary: Summary | null;
  findings: Finding[];
}

export interface ListRow {
  place: number;
  dataset: number;
  /** Of the row in its source, counted from 1. */
  number: number;
  text: string;
  error: string;
  length: number | null;
  trained: number | null;
  flags: string[];
}

export interface List {
  /** Rows of this view so far. */
  total: number;
  /** Whether there will be no more of them. */
  complete: boolean;
  start: number;
  rows: ListRow[];
}

export interface Span {
  start: number;
  end: number;
  role: string;
  turn: number | null;
  trained: boolean;
  rule: string;
  text: string;
}

/** What the ids of a message stand for; the arrays go together. */
export interface Vocabulary {
  ids: number[];
  texts: string[];
  /** Bytes as hexadecimal digits. */
  bytes: string[];
  special: boolean[];
  /** Whether the token is a part of a character. */
  partial: boolean[];
}

/** Buffers: input_ids, labels, position_ids, document_ids; int32, of the tokens from `start` on. */
export interface Tokens {
  place: number;
  sample: number;
  start: number;
  count: number;
  vocabulary: Vocabulary;
}

/** One sample and its first tokens. */
export interface Sample extends Tokens {
  dataset: number;
  number: number;
  samples: number;
  length: number;
  trained: number;
  cut: number;
  /** Why training leaves it out; empty where it does not. */
  dropped: string;
  flags: string[];
  spans: Span[];
  raw: string;
  raw_cut: boolean;
  /** Why the row is no sample; then the rest is empty. */
  error: string;
  fix: string;
  seconds: number;
}

export interface ParitySide {
  ids: number[];
  texts: string[];
}

/** The prompt of one assistant turn beside the training ids before it. */
export interface ParityTurn {
  turn: number;
  equal: boolean;
  /** The first token that differs, null where none does. */
  at: number | null;
  /** Tokens around the difference, the first of which is number `from`. */
  from: number;
  training: ParitySide;
  prompt: ParitySide;
  cause: string;
  fix: string;
}

export interface Parity {
  place: number;
  turns: ParityTurn[];
  /** Why there is nothing to compare; else empty. */
  message: string;
  fix: string;
}

export interface PackingLayout {
  name: string;
  title: string;
  rows: number;
  fill: number;
  capacity: number;
  samples_per_row: number;
  current: boolean;
  description: string;
}

export interface PackedRow {
  row: number;
  /** Of each segment: the place and sample it is of, and its tokens. */
  segments: { place: number; sample: number; length: number; trained: number }[];
  /** Of all segments. */
  tokens: number;
  /** Tokens with the padding. */
  width: number;
}

export interface PackingView {
  layouts: PackingLayout[];
  layout: string;
  total: number;
  start: number;
  rows: PackedRow[];
  /** How many samples this is about: those looked at so far. */
  samples: number;
  message: string;
}

/** Buffers: input_ids, labels, position_ids, document_ids of a packed row. */
export interface PackTokens {
  layout: string;
  row: number;
  count: number;
  vocabulary: Vocabulary;
}

/** Buffers: for each model the loss of each token in nats, float32, NaN where it has no label; of token 0 always NaN. */
export interface Losses {
  place: number;
  sample: number;
  models: string[];
  /** The mean over the trained tokens, by model; null where there are none. */
  means: (number | null)[];
}

export interface Replies {
  list: List;
  sample: Sample;
  tokens: Tokens;
  parity: Parity;
  packing: PackingView;
  pack: PackTokens;
  losses: Losses;
  what_if: State;
}

export interface Requests {
  list: { filter: string | null; search: boolean; start: number; stop: number };
  sample: { place: number; sample: number };
  tokens: { place: number; sample: number; start: number };
  parity: { place: number };
  packing: { layout: string | null; start: number; stop: number };
  pack: { layout: string; row: number };
  losses: { place: number; sample: number; models: string[] };
  what_if: { changes: Record<string, unknown> };
}

export type ToKernel =
  | { type: 'hello' }
  | { type: 'plotly' }
  | { type: 'scan'; action: 'start' | 'cancel' }
  | { type: 'search'; text: string }
  | { type: 'parity_all'; action: 'start' | 'cancel' }
  | { type: 'close' }
  | { [Name in keyof Requests]: { type: Name; request: number } & Requests[Name] }[keyof Requests];

export type FromKernel =
  | ({ type: 'state' } & State)
  | ({ type: 'progress' } & Progress)
  | { type: 'plotly' }
  | { type: 'error'; request: number; message: string; fix: string }
  | { [Name in keyof Replies]: { type: Name; request: number } & Replies[Name] }[keyof Replies];
