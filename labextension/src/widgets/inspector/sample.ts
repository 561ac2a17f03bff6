/** One sample: what it is, what training does with it, and its tokens. */

import { button, element, setText } from '../shared/dom';
import { sentences } from './connection';
import { copyButton } from './copying';
import { many, percent, whole as grouped } from './figures';
import { finder } from './finder';
import { flagMark } from './flags';
import type { Inspector } from './panel';
import type { Sample, State } from './protocol';
import { rowName } from './rows';
import { SampleTokens } from './sample_tokens';
import { sampleAsJson } from './sample_json';
import { sampleText } from './sample_text';
import { readable } from './signs';
import { tokenDetail } from './token_detail';
import { tokenGrid } from './token_grid';

export type Mode = 'tokens' | 'text' | 'ids';

const MODES: [mode: Mode, label: string, title: string][] = [
  ['tokens', 'Tokens', 'Each token as a box'],
  ['text', 'Text', 'As running text'],
  ['ids', 'IDs', 'Each token as its id'],
];

export interface SamplePane {
  element: HTMLElement;
  /** Show a sample of a row, and the token `token` of it. */
  show(place: number, sample: number, token?: number): void;
  /** Show the same sample again, because it may be another one now; the reader's place in it stays. */
  again(): void;
  showState(state: State): void;
  losses(values: Float32Array | null, model: string): void;
  destroy(): void;
}

export interface SampleEvents {
  /** Go to the row that is `by` rows further. */
  step(by: number): void;
  filter(flag: string): void;
  mode(mode: Mode): void;
  /** A sample is shown. */
  shown(place: number, sample: number): void;
}

export function samplePane(
  inspector: Pick<Inspector, 'ask' | 'announcer'>,
  firstMode: Mode,
  events: SampleEvents,
): SamplePane {
  let state: State | null = null;
  let mode = firstMode;
  let tokens: SampleTokens | null = null;
  let wanted: { place: number; sample: number; token: number | undefined } | null = null;
  let rawWanted = false;
  /** The token that the details are of. */
  let pointed: number | null = null;
  let loss: { values: Float32Array; model: string } | null = null;

  const title = element('strong', { class: 'ft-sample-title' });
  const from = element('span', { class: 'ft-sample-from' });
  const facts = element('div', { class: 'ft-sample-facts' });
  const samples = element('span', { class: 'ft-sample-count' });
  const inRow = element(
    'span',
    { class: 'ft-sample-steps', hidden: true },
    button('‹', 'The sample before, of the same row', () => stepInRow(-1)),
    samples,
    button('›', 'The next sample of the same row', () => stepInRow(1)),
  );
  const copyAll = copyButton(
    'Copy as JSON',
    'Copy ids, labels, spans and the raw row',
    inspector.announcer,
    () => (tokens ? sampleAsJson(tokens) : ''),
  );
  const trouble = element('div', { class: 'ft-trouble', role: 'alert', hidden: true });
  const segments = MODES.map(([name, label, words]) => {
    const made = element(
      'button',
      { type: 'button', title: words, 'aria-pressed': String(name === mode) },
      label,
    );
    made.addEventListener('click', () => setMode(name));
    return { name, button: made };
  });
  const views = element(
    'div',
    { class: 'ft-segments', role: 'group', 'aria-label': 'view' },
    ...segments.map(segment => segment.button),
  );
  const rawToggle = button('Raw row', 'Show the row as its source has it, beside the sample', () => {
    rawWanted = rawBox.hidden;
    drawRaw();
  });
  rawToggle.setAttribute('aria-pressed', 'false');
  rawToggle.classList.add('ft-opens');
  const raw = element('pre', { class: 'ft-raw-text', tabindex: 0 });
  const rawNote = element(
    'p',
    { class: 'ft-raw-note' },
    'Only its beginning; the row is longer than a page should hold.',
  );
  const rawBox = element(
    'div',
    { class: 'ft-raw', role: 'group', 'aria-label': 'raw row', hidden: true },
    rawNote,
    raw,
  );

  const detail = tokenDetail(token => grid.markSpan(token));
  const pointAt = (token: number | null): void => {
    pointed = token;
    detail.show(tokens, token, loss?.values[token ?? -1] ?? NaN, loss?.model ?? '');
  };
  const grid = tokenGrid({ token: pointAt, missing: token => void fetch(token) }, detail.rule);
  const text = sampleText();
  const find = finder({ found: grid.found, go: token => grid.go(token), loaded: () => grid.extend() });
  const box = (kind: Record<string, string | boolean>, words: string): HTMLElement =>
    element('span', {}, element('span', { class: 'ft-token', ...kind }, 'a'), words);
  const legend = element(
    'div',
    { class: 'ft-legend', 'aria-hidden': 'true' },
    box({ 'data-kind': 'trained' }, 'trained'),
    box({ 'data-kind': 'masked' }, 'masked'),
    box({ 'data-kind': 'masked', 'data-special': true }, 'special'),
  );
  const body = element('div', { class: 'ft-sample-body' }, grid.element, text.element, rawBox);
  const whole = element(
    'section',
    { class: 'ft-sample', 'aria-label': 'sample' },
    element(
      'header',
      { class: 'ft-sample-head' },
      element(
        'span',
        { class: 'ft-sample-steps' },
        button('‹', 'The row before', () => events.step(-1)),
        button('›', 'The next row', () => events.step(1)),
      ),
      title,
      from,
      inRow,
      copyAll,
    ),
    element('div', { class: 'ft-sample-line' }, facts, legend),
    trouble,
    element('div', { class: 'ft-sample-tools' }, views, rawToggle, find.element),
    body,
    detail.element,
  );

  const fetch = async (token: number): Promise<void> => {
    const inside = tokens;
    try {
      await inside?.load(token);
    } catch (refusal) {
      complain(sentences(refusal));
      return;
    }
    if (inside === tokens) {
      grid.extend();
    }
  };
  const complain = (words: string): void => {
    setText(trouble, words);
    trouble.hidden = words === '';
  };
  const setMode = (to: Mode): void => {
    mode = to;
    segments.forEach(segment => segment.button.setAttribute('aria-pressed', String(segment.name === to)));
    events.mode(to);
    drawTokens(true);
  };
  const drawTokens = (keep: boolean): void => {
    const nothing = !tokens || tokens.length === 0;
    views.hidden = nothing;
    legend.hidden = nothing;
    grid.element.hidden = nothing || mode === 'text';
    text.element.hidden = nothing || mode !== 'text';
    find.element.hidden = nothing || mode === 'text';
    detail.element.hidden = nothing || mode === 'text';
    if (!tokens || nothing) {
      return;
    }
    if (mode === 'text') {
      const inside = tokens;
      text.show(inside).then(
        () => undefined,
        (refusal: unknown) => complain(sentences(refusal)),
      );
      return;
    }
    grid.show(tokens, mode, keep);
    if (loss) {
      grid.losses(loss.values, loss.model);
    }
    find.use(tokens);
    pointAt(null);
  };
  const drawRaw = (): void => {
    // A row that is no sample is all that there is to see.
    rawBox.hidden = !(rawWanted || tokens?.sample.error);
    rawToggle.setAttribute('aria-pressed', String(!rawBox.hidden));
    if (!rawBox.hidden && tokens) {
      setText(raw, readable(tokens.sample.raw));
      rawNote.hidden = !tokens.sample.raw_cut;
    }
  };
  const drawHead = (sample: Sample): void => {
    const dataset = state?.datasets[sample.dataset];
    setText(title, `Row ${rowName(sample, state)}`);
    setText(from, dataset ? readable(dataset.path) : '');
    from.title = dataset ? `${readable(dataset.path)} (${dataset.type}, ${purpose(dataset.purpose)})` : '';
    inRow.hidden = sample.samples < 2;
    setText(samples, `sample ${sample.sample + 1} of ${sample.samples}`);
    facts.replaceChildren(...(sample.error ? [] : fate(sample)), ...sample.flags.map(flagButton));
  };
  const flagButton = (name: string): HTMLElement => {
    const made = element(
      'button',
      { type: 'button', class: 'ft-flag-button' },
      flagMark(name, state?.flags ?? []),
    );
    made.addEventListener('click', () => events.filter(name));
    return made;
  };

  const ask = (keep: boolean): void => {
    if (!wanted || !state || state.status === 'failed') {
      return;
    }
    const { place, sample, token } = wanted;
    whole.setAttribute('aria-busy', 'true');
    // Only the newest of these gets an answer: see connection.ts.
    inspector.ask('sample', { place, sample }).then(
      ({ message, buffers }) => {
        whole.removeAttribute('aria-busy');
        tokens = new SampleTokens(message, buffers, inspector.ask);
        loss = null;
        complain([message.error, message.fix].filter(Boolean).join(' '));
        drawHead(message);
        drawTokens(keep);
        drawRaw();
        if (token !== undefined && wanted) {
          wanted.token = undefined;
          void reach(token);
        }
        inspector.announcer.say(spoken(message, state));
        events.shown(message.place, message.sample);
      },
      (refusal: unknown) => {
        whole.removeAttribute('aria-busy');
        tokens = null;
        setText(title, `Row ${(place + 1).toLocaleString('en')}`);
        setText(from, '');
        facts.replaceChildren();
        inRow.hidden = true;
        drawTokens(false);
        complain(sentences(refusal));
      },
    );
  };
  /** Move to a token, which may have to be fetched. */
  const reach = async (token: number): Promise<void> => {
    if (mode === 'text') {
      setMode('tokens');
    }
    await fetch(token);
    grid.go(token);
  };
  const stepInRow = (by: number): void => {
    if (wanted && tokens) {
      const { samples: count } = tokens.sample;
      show(wanted.place, (wanted.sample + by + count) % count);
    }
  };
  const show = (place: number, sample: number, token?: number): void => {
    wanted = { place, sample, token };
    ask(false);
  };
  drawTokens(false);

  return {
    element: whole,
    show,
    again: () => ask(true),
    showState: to => (state = to),
    losses: (values, model) => {
      loss = values && { values, model };
      if (mode !== 'text') {
        grid.losses(values, model);
      }
      pointAt(pointed);
    },
    destroy: grid.destroy,
  };
}

function purpose(which: 'train' | 'evaluate'): string {
  return which === 'train' ? 'to train on' : 'to evaluate on';
}

/** What a sample is and becomes, in numbers. */
function fate(sample: Sample): HTMLElement[] {
  const { length, trained, cut, dropped, seconds } = sample;
  const part = (words: string, kind = ''): HTMLElement => element('span', { class: kind }, words);
  const counted = part(many(length, 'token'));
  counted.title = `tokenized in ${(1000 * seconds).toFixed(1)} ms`;
  const made = [
    counted,
    part(`${grouped(trained)} trained (${length > 0 ? percent(trained, length) : '0%'})`),
  ];
  if (cut > 0) {
    made.push(part(`${grouped(cut)} cut off its end`, 'ft-warned'));
  }
  made.push(dropped ? part(`left out: ${dropped}`, 'ft-warned') : part('kept'));
  return made;
}

function spoken(sample: Sample, state: State | null): string {
  if (sample.error) {
    return `row ${rowName(sample, state)}: ${sample.error}`;
  }
  return `row ${rowName(sample, state)}: ${sample.length} tokens, ${sample.trained} trained`;
}
