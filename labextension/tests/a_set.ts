import type {
  Dataset,
  Flag,
  Job,
  List,
  ListRow,
  Progress,
  Sample,
  Span,
  State,
} from '../src/widgets/inspector/protocol';

const IDLE: Job = { state: 'idle', done: 0, total: 100, seconds: 0, message: '' };

export const FLAGS: Flag[] = [
  { name: 'broken', title: 'Broken', description: 'It cannot be read', severity: 'broken' },
  { name: 'truncated', title: 'Truncated', description: 'Its end was cut off', severity: 'suspicious' },
  { name: 'thinking', title: 'Thinking', description: 'It thinks', severity: 'notable' },
];

export function aDataset(rows: number, change: Partial<Dataset> = {}): Dataset {
  return {
    path: 'data/cynic.jsonl',
    type: 'chat_template',
    split: 'train',
    purpose: 'train',
    rows,
    ...change,
  };
}

/** A set of 100 rows, but for `change`. */
export function aState(change: Partial<State> = {}): State {
  return {
    generation: 1,
    title: 'cynic',
    status: 'ready',
    message: '',
    fix: '',
    datasets: [aDataset(change.rows ?? 100)],
    rows: 100,
    tokenizer: 'SmolLM2-135M-Instruct',
    sequence_len: 2048,
    packing: false,
    chat: true,
    flags: FLAGS,
    knobs: [],
    yaml: '',
    models: [],
    ...change,
  };
}

/** Nothing is under way, but for `scan` and `search`. */
export function aProgress(
  jobs: { scan?: Partial<Job>; search?: Partial<Job> } = {},
  change: Partial<Progress> = {},
): Progress {
  return {
    generation: 1,
    jobs: { scan: { ...IDLE, ...jobs.scan }, search: { ...IDLE, ...jobs.search }, parity: IDLE },
    counts: {},
    found: 0,
    summary: null,
    findings: [],
    ...change,
  };
}

export function aRow(place: number, change: Partial<ListRow> = {}): ListRow {
  return {
    place,
    dataset: 0,
    number: place + 1,
    text: `text of row ${place + 1}`,
    error: '',
    length: null,
    trained: null,
    flags: [],
    ...change,
  };
}

/** The rows of a plain list that a request asked for. */
export function aList(start: number, stop: number, total = 100): List {
  const rows = Array.from({ length: Math.min(stop, total) - start }, (_, i) => aRow(start + i));
  return { total, complete: true, start, rows };
}

/** A token of a sample: its text, whether it is trained, and what else it is. */
export interface AToken {
  text: string;
  trained?: boolean;
  special?: boolean;
  /** Bytes of a part of a character. */
  bytes?: string;
}

export function span(start: number, end: number, role: string, turn: number | null, trained: boolean): Span {
  const rule = trained ? `trained: role ${role} is in roles_to_train` : `masked: ${role}`;
  return { start, end, role, turn, trained, rule, text: '' };
}

/** `int32` values as buffers, each at an odd byte of a larger one. */
export function buffers(...columns: number[][]): DataView[] {
  return columns.map(column => {
    const bytes = new Uint8Array(new Int32Array(column).buffer);
    const whole = new Uint8Array(bytes.length + 3);
    whole.set(bytes, 1);
    return new DataView(whole.buffer, 1, bytes.length);
  });
}

/** The message and buffers of tokens `[start, stop)`. Each text has an id of its own: 100 and the place where it is first. */
export function page(
  tokens: AToken[],
  start: number,
  stop: number,
): { message: Pick<Sample, 'start' | 'count' | 'vocabulary'>; buffers: DataView[] } {
  const of = tokens.slice(start, stop);
  const key = ({ text, bytes }: AToken): string => `${text} ${bytes ?? ''}`;
  const ids = of.map(token => 100 + tokens.findIndex(each => key(each) === key(token)));
  const unique = [...new Set(ids)];
  const known = unique.map(id => tokens[id - 100] as AToken);
  const hex = (text: string): string =>
    [...new TextEncoder().encode(text)].map(byte => byte.toString(16).padStart(2, '0')).join('');
  return {
    message: {
      start,
      count: of.length,
      vocabulary: {
        ids: unique,
        texts: known.map(({ text }) => text),
        bytes: known.map(({ text, bytes }) => bytes ?? hex(text)),
        special: known.map(({ special }) => special ?? false),
        partial: known.map(({ bytes }) => bytes !== undefined),
      },
    },
    buffers: buffers(
      ids,
      ids.map((id, i) => (of[i]?.trained ? id : -100)),
      ids.map((_, i) => start + i),
      ids.map(() => 0),
    ),
  };
}

/** A sample of `tokens`, of which the first message has those before `stop`. */
export function aSample(
  tokens: AToken[],
  spans: Span[],
  change: Partial<Sample> = {},
  stop = tokens.length,
): { message: Sample; buffers: DataView[] } {
  const first = page(tokens, 0, stop);
  return {
    message: {
      ...first.message,
      place: 0,
      sample: 0,
      dataset: 0,
      number: 1,
      samples: 1,
      length: tokens.length,
      trained: tokens.filter(({ trained }) => trained).length,
      cut: 0,
      dropped: '',
      flags: [],
      spans,
      raw: '{"a": 1}',
      raw_cut: false,
      error: '',
      fix: '',
      seconds: 0.002,
      ...change,
    },
    buffers: first.buffers,
  };
}

/** A question and an answer, as ChatML writes them: 10 tokens, of which 3 are trained. */
export const CHAT: AToken[] = [
  { text: '<|im_start|>', special: true },
  { text: 'user' },
  { text: '\n' },
  { text: 'Hi' },
  { text: '<|im_end|>', special: true },
  { text: '<|im_start|>', special: true },
  { text: 'assistant' },
  { text: 'I', trained: true },
  { text: ' bite', trained: true },
  { text: '<|im_end|>', special: true, trained: true },
];
export const CHAT_SPANS: Span[] = [
  span(0, 3, 'template', 0, false),
  span(3, 5, 'user', 0, false),
  span(5, 7, 'template', 1, false),
  span(7, 10, 'assistant', 1, true),
];
