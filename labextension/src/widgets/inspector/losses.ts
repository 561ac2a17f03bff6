/** The loss of each token of the sample, by the tuned model and by the one it came from. */

import { button, element, setText } from '../shared/dom';
import { digits, duration, float32s } from '../shared/numbers';
import { sentences } from './connection';
import { whole } from './figures';
import type { Inspector, OnLosses, SamplePanel } from './panel';
import type { Reply } from './panel';

/** Base minus tuned: above zero where tuning helped. */
export const DIFFERENCE = 'difference';

/** Milliseconds of rest on a sample before its losses are asked for. */
export const REST = 300;

/** Losses in nats at which a step ends: where the model gave the token 90, 50, 10, 1 and 0.1%. */
const STEPS = [0.105, 0.693, 2.303, 4.605, 6.908];
const STEP_WORDS = ['over 90%', 'over 50%', 'over 10%', 'over 1%', 'over 0.1%', 'less'];
/** Differences in nats at which a step ends: 1.1, 2 and 10 times as likely. */
const DIFFERENCES = [0.095, 0.693, 2.303];

/** Tokens that are named one by one. */
const WORST = 5;

/**
 * The `data-loss` of a token: `0` (sure) to `5` (lost); of a difference `better-1` to `better-3`, `worse-1` to
 * `worse-3`, or `same`; empty where it has no loss.
 */
export function lossStep(value: number, model: string): string {
  if (Number.isNaN(value)) {
    return '';
  }
  if (model === DIFFERENCE) {
    const step = DIFFERENCES.filter(end => Math.abs(value) > end).length;
    return step === 0 ? 'same' : `${value < 0 ? 'worse' : 'better'}-${step}`;
  }
  return String(STEPS.filter(end => value > end).length);
}

/** `loss 2.345, 9.6% likely`; of a difference `1.2 nats better than base`. */
export function lossWords(value: number, model: string): string {
  if (Number.isNaN(value)) {
    return 'no loss';
  }
  if (model === DIFFERENCE) {
    return Math.abs(value) < 0.0005
      ? 'as likely as before tuning'
      : `${digits(Math.abs(value))} nats ${value > 0 ? 'better' : 'worse'} than base`;
  }
  return `loss ${digits(value)} (${model}), ${likely(value)} likely`;
}

function likely(loss: number): string {
  const share = Math.exp(-loss) * 100;
  return `${share >= 0.01 ? Number(share.toPrecision(2)) : share.toExponential(0)}%`;
}

/** What a sample's losses are, by model; with both models the difference too. */
interface Known {
  values: Map<string, Float32Array>;
  means: Map<string, number>;
}

export function lossesPanel(inspector: Inspector, onLosses: OnLosses): SamplePanel {
  let shown: { place: number; sample: number } | undefined;
  let generation = 0;
  let key = '';
  let models: string[] = [];
  let on = false;
  let colouring = '';
  /** Gives the tokens again what they were given. */
  let emit = (): void => onLosses(null, '');
  let rest: ReturnType<typeof setTimeout> | undefined;
  let clock: ReturnType<typeof setInterval> | undefined;

  const none = element(
    'p',
    { class: 'ft-note' },
    'There is no model to ask: losses come from a run that has saved a checkpoint.',
  );
  const choices = element('span', { class: 'ft-losses-models', role: 'group', 'aria-label': 'models' });
  const start = button('Show losses', 'Compute the loss of each token; the model is loaded first', () => {
    on = true;
    ask(0);
  });
  const hide = button('Hide losses', 'Show the tokens without losses', () => {
    on = false;
    stopClock();
    forget();
  });
  const status = element('span', { class: 'ft-panel-status', role: 'status' });
  const results = element('div', { class: 'ft-losses-results', hidden: true });
  const line = element('div', { class: 'ft-panel-line' }, choices, start, hide, status);
  const panel = element('div', { class: 'ft-panel ft-losses' }, none, line, results);

  const stopClock = (): void => {
    clearTimeout(rest);
    clearInterval(clock);
  };
  const forget = (): void => {
    results.hidden = true;
    results.replaceChildren();
    start.hidden = on;
    hide.hidden = !on;
    setText(status, '');
    emit = () => onLosses(null, '');
    emit();
  };
  const chosen = (): string[] =>
    [...choices.querySelectorAll<HTMLInputElement>('input:checked')].map(box => box.value);
  const ask = (after: number): void => {
    const now = shown;
    const asked = chosen();
    stopClock();
    forget();
    if (!on || !now) {
      return;
    }
    if (asked.length === 0) {
      setText(status, 'Choose a model.');
      return;
    }
    rest = setTimeout(() => {
      const began = Date.now();
      const say = (): void =>
        setText(status, `computing, ${duration((Date.now() - began) / 1000)}; a first time loads the model`);
      setText(status, 'computing');
      clock = setInterval(say, 1000);
      const current = (): boolean => on && now === shown && String(asked) === String(chosen());
      // One model a message: that of a long sample is as large as a message may be everywhere.
      const answers = async (): Promise<Reply<'losses'>[]> => {
        const replies: Reply<'losses'>[] = [];
        for (const model of asked) {
          if (current()) {
            replies.push(await inspector.ask('losses', { ...now, models: [model] }));
          }
        }
        return replies;
      };
      answers()
        .then(replies => {
          if (current()) {
            stopClock();
            setText(status, '');
            draw(
              read(
                replies.flatMap(({ message }) => message.models),
                replies.flatMap(({ message }) => message.means),
                replies.flatMap(({ buffers }) => buffers),
              ),
            );
          }
        })
        .catch((refusal: unknown) => {
          if (current()) {
            stopClock();
            on = false;
            forget();
            setText(status, sentences(refusal));
          }
        });
    }, after);
  };
  const draw = ({ values, means }: Known): void => {
    const names = [...values.keys()];
    if (!names.includes(colouring)) {
      colouring = names[0] ?? '';
    }
    const group = `ft-loss-${Math.random().toString(36).slice(2)}`;
    const detail = element('div');
    const show = (): void => {
      const tokens = values.get(colouring);
      const model = colouring;
      emit = () => onLosses(tokens ?? null, model);
      emit();
      detail.replaceChildren(legend(colouring), ...(tokens ? [extremes(tokens, colouring, openToken)] : []));
    };
    results.replaceChildren(
      element(
        'table',
        { class: 'ft-table ft-losses-means' },
        element('caption', {}, 'Mean over the trained tokens; choose what the tokens show'),
        element(
          'thead',
          {},
          element(
            'tr',
            {},
            ...['model', 'loss', 'perplexity'].map(name => element('th', { scope: 'col' }, name)),
          ),
        ),
        element(
          'tbody',
          {},
          ...names.map(name => {
            const radio = element('input', { type: 'radio', name: group, checked: name === colouring });
            radio.addEventListener('change', () => {
              colouring = name;
              show();
            });
            const mean = means.get(name) ?? NaN;
            return element(
              'tr',
              {},
              element(
                'th',
                { scope: 'row' },
                element('label', {}, radio, name === DIFFERENCE ? 'base − tuned' : name),
              ),
              element('td', { class: 'ft-number' }, signed(mean, name)),
              element('td', { class: 'ft-number' }, name === DIFFERENCE ? '' : digits(Math.exp(mean))),
            );
          }),
        ),
      ),
      detail,
    );
    results.hidden = false;
    show();
  };
  const openToken = (token: number): void => {
    if (shown) {
      inspector.open(shown.place, shown.sample, token);
    }
  };
  forget();
  line.hidden = true;
  return {
    element: panel,
    showSample: (place, sample) => {
      const newKey = `${generation} ${place} ${sample}`;
      if (newKey !== key) {
        key = newKey;
        shown = { place, sample };
        ask(REST);
      }
    },
    showState: state => {
      generation = state.generation;
      if (String(state.models) === String(models)) {
        return;
      }
      models = state.models;
      none.hidden = models.length > 0;
      line.hidden = models.length === 0;
      choices.replaceChildren(
        ...models.map(name => {
          const box = element('input', { type: 'checkbox', value: name, checked: true });
          box.addEventListener('change', () => ask(REST));
          return element('label', {}, box, name);
        }),
      );
    },
    showProgress: () => undefined,
    shown: () => emit(),
    destroy: stopClock,
  };
}

function read(models: string[], means: (number | null)[], buffers: DataView[]): Known {
  const known: Known = { values: new Map(), means: new Map() };
  models.forEach((name, at) => {
    const buffer = buffers[at];
    if (buffer) {
      known.values.set(name, Float32Array.from(float32s(buffer)));
      known.means.set(name, means[at] ?? NaN);
    }
  });
  const [base, tuned] = [known.values.get('base'), known.values.get('tuned')];
  if (base && tuned) {
    known.values.set(
      DIFFERENCE,
      base.map((loss, at) => loss - (tuned[at] ?? NaN)),
    );
    known.means.set(DIFFERENCE, (known.means.get('base') ?? NaN) - (known.means.get('tuned') ?? NaN));
  }
  return known;
}

function signed(value: number, model: string): string {
  return model === DIFFERENCE && value > 0 ? `+${digits(value)}` : digits(value);
}

/** What the tokens' grounds stand for: how full they are, and how likely the model found the token. */
function legend(model: string): HTMLElement {
  const entries: [string, string][] =
    model === DIFFERENCE
      ? [
          ['worse-3', '10 times less likely after tuning'],
          ['worse-2', '2 times less'],
          ['worse-1', 'a little less'],
          ['same', 'the same'],
          ['better-1', 'a little more'],
          ['better-2', '2 times more'],
          ['better-3', '10 times more likely'],
        ]
      : STEP_WORDS.map((words, step) => [String(step), words]);
  return element(
    'p',
    { class: 'ft-panel-legend' },
    element('span', {}, model === DIFFERENCE ? 'The token became:' : 'The model found the token likely by:'),
    ...entries.map(([step, words]) =>
      element('span', {}, element('i', { 'data-loss': step, 'aria-hidden': 'true' }), words),
    ),
  );
}

/** The tokens with the highest losses, or those that tuning changed most. */
function extremes(values: Float32Array, model: string, open: (token: number) => void): HTMLElement {
  const size = (token: number): number =>
    model === DIFFERENCE ? Math.abs(values[token] ?? 0) : (values[token] ?? 0);
  const worst = [...values.keys()]
    .filter(token => !Number.isNaN(values[token]))
    .sort((a, b) => size(b) - size(a))
    .slice(0, WORST);
  return element(
    'p',
    { class: 'ft-losses-worst' },
    model === DIFFERENCE ? 'changed most: ' : 'highest: ',
    ...worst.map(token => {
      const value = values[token] ?? NaN;
      const link = element(
        'button',
        { type: 'button', class: 'ft-link', title: lossWords(value, model) },
        `token ${whole(token)} (${signed(value, model)})`,
      );
      link.addEventListener('click', () => open(token));
      return link;
    }),
  );
}
