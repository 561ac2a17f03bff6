/** The tokens of one sample, as far as the kernel has sent them. */

import { int32s } from './connection';
import type { Inspector, Reply } from './panel';
import type { Sample, Span, Vocabulary } from './protocol';

/** The label of a token that is not trained on. */
export const IGNORE = -100;

/** What an id stands for. */
export interface Piece {
  text: string;
  /** As hexadecimal digits. */
  bytes: string;
  special: boolean;
  /** A part of a character. */
  partial: boolean;
}

/** Tokens `[start, end)` that have one author: what one message became. */
export interface Turn {
  start: number;
  end: number;
  role: string;
  /** Which message, counted from 0; null outside messages. */
  turn: number | null;
}

/** Neighbouring tokens that are all here, or that all are not. */
export interface Section {
  start: number;
  end: number;
  loaded: boolean;
}

/** Pages on their way at a time: enough to hide the way, and few enough to let other requests between. */
const AT_ONCE = 4;

const UNKNOWN: Piece = { text: '', bytes: '', special: false, partial: false };
/** The role of what a chat template wrote around the messages. */
export const TEMPLATE = 'template';

export class SampleTokens {
  readonly inputIds: Int32Array;
  readonly labels: Int32Array;
  readonly positionIds: Int32Array;
  readonly documentIds: Int32Array;
  readonly turns: Turn[];
  sections: Section[];
  private readonly vocabulary = new Map<number, Piece>();
  private readonly asked = new Map<number, Promise<void>>();
  private text: { text: string; starts: Int32Array } | null = null;

  constructor(
    readonly sample: Sample,
    buffers: DataView[],
    private readonly ask: Inspector['ask'],
  ) {
    const { length } = sample;
    this.inputIds = new Int32Array(length);
    this.labels = new Int32Array(length).fill(IGNORE);
    this.positionIds = new Int32Array(length);
    this.documentIds = new Int32Array(length);
    this.turns = turnsOf(sample.spans);
    this.sections = length > 0 ? [{ start: 0, end: length, loaded: false }] : [];
    this.take(sample.start, sample.count, sample.vocabulary, buffers);
  }

  get length(): number {
    return this.sample.length;
  }

  get whole(): boolean {
    return this.sections.every(({ loaded }) => loaded);
  }

  piece(token: number): Piece {
    return this.vocabulary.get(this.inputIds[token] ?? -1) ?? UNKNOWN;
  }

  trained(token: number): boolean {
    return this.labels[token] !== IGNORE;
  }

  span(token: number): Span | undefined {
    return holder(this.sample.spans, token);
  }

  turn(token: number): Turn | undefined {
    return holder(this.turns, token);
  }

  /** Ask for the tokens from `token` on, unless they are here or on their way. */
  async load(token: number): Promise<void> {
    const section = holder(this.sections, token);
    if (!section || section.loaded) {
      return;
    }
    // As many tokens at a time as the first message had: the kernel knows what a message may hold.
    const size = Math.max(1, this.sample.count);
    const start = section.start + Math.floor((token - section.start) / size) * size;
    const already = this.asked.get(start);
    if (already) {
      return already;
    }
    const request = this.request(start).finally(() => this.asked.delete(start));
    this.asked.set(start, request);
    return request;
  }

  /** Wait until all tokens are here. */
  async loadAll(): Promise<void> {
    while (!this.whole) {
      await Promise.all(this.missing().map(token => this.load(token)));
    }
  }

  /** The text of all tokens, and of each token where in it it begins. Needs all tokens. */
  decoded(): { text: string; starts: Int32Array } {
    this.text ??= decode(this);
    return this.text;
  }

  /** The first tokens of the next pages that are not here, as many as are asked for at once. */
  private missing(): number[] {
    const size = Math.max(1, this.sample.count);
    return this.sections
      .filter(({ loaded }) => !loaded)
      .flatMap(({ start, end }) =>
        Array.from({ length: Math.ceil((end - start) / size) }, (_, page) => start + page * size),
      )
      .slice(0, AT_ONCE);
  }

  private async request(start: number): Promise<void> {
    const { place, sample } = this.sample;
    const { message, buffers }: Reply<'tokens'> = await this.ask('tokens', { place, sample, start });
    if (message.count === 0) {
      throw new Error(`The kernel has no tokens from ${start} on.`);
    }
    this.take(message.start, message.count, message.vocabulary, buffers);
  }

  private take(start: number, count: number, vocabulary: Vocabulary, buffers: DataView[]): void {
    [this.inputIds, this.labels, this.positionIds, this.documentIds].forEach((whole, i) =>
      whole.set(int32s(buffers[i]).subarray(0, Math.min(count, this.length - start)), start),
    );
    vocabulary.ids.forEach((id, i) =>
      this.vocabulary.set(id, {
        text: vocabulary.texts[i] ?? '',
        bytes: vocabulary.bytes[i] ?? '',
        special: vocabulary.special[i] ?? false,
        partial: vocabulary.partial[i] ?? false,
      }),
    );
    if (count > 0) {
      this.sections = withLoaded(this.sections, start, Math.min(start + count, this.length));
    }
  }
}

/** Of neighbouring ranges the one that `token` is in. */
export function holder<Range extends { start: number; end: number }>(
  ranges: readonly Range[],
  token: number,
): Range | undefined {
  let low = 0;
  let high = ranges.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const range = ranges[middle];
    if (!range || token < range.start) {
      high = middle - 1;
    } else if (token >= range.end) {
      low = middle + 1;
    } else {
      return range;
    }
  }
  return undefined;
}

/** Neighbouring spans of one message together; what the template wrote within it is its part. */
export function turnsOf(spans: readonly Span[]): Turn[] {
  const turns: Turn[] = [];
  for (const { start, end, role, turn } of spans) {
    const last = turns.at(-1);
    const joins =
      last && last.turn === turn && (last.role === role || last.role === TEMPLATE || role === TEMPLATE);
    if (joins && (turn !== null || last.role === role)) {
      last.end = end;
      last.role = last.role === TEMPLATE ? role : last.role;
    } else {
      turns.push({ start, end, role, turn });
    }
  }
  return turns;
}

/** The sections with `[start, end)` loaded. */
function withLoaded(sections: Section[], start: number, end: number): Section[] {
  return sections.flatMap(section => {
    if (section.loaded || section.end <= start || section.start >= end) {
      return [section];
    }
    const parts: Section[] = [
      { start: section.start, end: Math.max(section.start, start), loaded: false },
      { start: Math.max(section.start, start), end: Math.min(section.end, end), loaded: true },
      { start: Math.min(section.end, end), end: section.end, loaded: false },
    ];
    return parts.filter(part => part.end > part.start);
  });
}

/** Text from the tokens' bytes, so that a character split between tokens is one character. */
function decode(tokens: SampleTokens): { text: string; starts: Int32Array } {
  const decoder = new TextDecoder();
  const starts = new Int32Array(tokens.length);
  const parts: string[] = [];
  let length = 0;
  const add = (part: string): void => {
    parts.push(part);
    length += part.length;
  };
  for (let token = 0; token < tokens.length; token += 1) {
    const { text, bytes, partial } = tokens.piece(token);
    if (!partial) {
      add(decoder.decode());
    }
    starts[token] = length;
    add(partial ? decoder.decode(unhex(bytes), { stream: true }) : text);
  }
  add(decoder.decode());
  return { text: parts.join(''), starts };
}

function unhex(digits: string): Uint8Array {
  return Uint8Array.from(digits.match(/[0-9a-f]{2}/gi) ?? [], pair => Number.parseInt(pair, 16));
}
