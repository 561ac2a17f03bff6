/** Whether chat will ask with the very tokens that training teaches to answer. */

import { button, element, icon, setText } from '../shared/dom';
import { CHECK, CROSS, DOTS } from '../shared/icons';
import { adviceElement, withCode } from './advice';
import { align } from './alignment';
import { sentences } from './connection';
import { many, whole } from './figures';
import { jobLine } from './job_line';
import type { Inspector, SamplePanel } from './panel';
import type { Parity, ParitySide, ParityTurn } from './protocol';
import { visible } from './signs';

/** The flag of rows whose prompt differs. */
const DIFFERS = 'prompt_differs';

export function parityPanel(inspector: Inspector): SamplePanel {
  let wanted: { place: number; sample: number } | undefined;
  let asked: typeof wanted;
  let generation = 0;
  let key = '';

  const verdict = element('p', { class: 'ft-parity-verdict' });
  const turns = element('ol', { class: 'ft-parity-turns', 'aria-label': 'assistant turns' });
  const set = wholeSet(inspector);
  const panel = element(
    'div',
    { class: 'ft-panel ft-parity' },
    element(
      'p',
      { class: 'ft-note' },
      'What chat will send before each answer, beside what training shows before it.',
    ),
    verdict,
    turns,
    set.element,
  );
  const say = (drawing: string, state: string, words: string): void => {
    verdict.dataset.state = state;
    verdict.replaceChildren(icon(drawing), element('span', {}, words));
  };
  const draw = ({ turns: all, message, fix }: Parity, sample: number, place: number): void => {
    turns.replaceChildren();
    const different = all.filter(({ equal }) => !equal);
    if (all.length === 0) {
      say(DOTS, 'none', [message, fix].filter(Boolean).join(' '));
      return;
    }
    if (different.length === 0) {
      say(
        CHECK,
        'equal',
        `Chat asks as training teaches, in ${all.length === 1 ? 'the one turn' : `all ${many(all.length, 'turn')}`}.`,
      );
    } else {
      say(
        CROSS,
        'different',
        `Chat will ask otherwise in ${whole(different.length)} of ${many(all.length, 'turn')}.`,
      );
    }
    turns.append(...all.map(turn => turnElement(turn, turn === different[0], inspector, place, sample)));
  };
  const ask = (): void => {
    const now = wanted;
    // What is not looked at is not worked out.
    if (!now || now === asked || !panel.isConnected || panel.closest('[hidden], details:not([open])')) {
      return;
    }
    asked = now;
    panel.setAttribute('aria-busy', 'true');
    inspector
      .ask('parity', { place: now.place })
      .then(({ message }) => {
        if (now === wanted) {
          draw(message, now.sample, now.place);
        }
      })
      .catch((refusal: unknown) => {
        if (now === wanted) {
          turns.replaceChildren();
          say(CROSS, 'different', sentences(refusal));
        }
      })
      .finally(() => now === wanted && panel.removeAttribute('aria-busy'));
  };
  return {
    element: panel,
    showSample: (place, sample) => {
      const newKey = `${generation} ${place} ${sample}`;
      if (newKey !== key) {
        key = newKey;
        wanted = { place, sample };
        ask();
      }
    },
    showState: state => {
      generation = state.generation;
      set.element.hidden = !state.chat;
    },
    showProgress: ({ jobs, counts }) => set.show(jobs.parity, counts[DIFFERS] ?? 0),
    shown: ask,
  };
}

interface WholeSet {
  element: HTMLElement;
  show(job: Parameters<ReturnType<typeof jobLine>['show']>[0], differ: number): void;
}

function wholeSet(inspector: Inspector): WholeSet {
  const line = jobLine({
    start: 'Check the whole set',
    idle: 'Only this row is checked.',
    tell: action => inspector.tell({ type: 'parity_all', action }),
  });
  const count = element('span');
  const rows = button('Show rows', 'Show the rows whose prompt differs in the list', () =>
    inspector.filter(DIFFERS),
  );
  const result = element('div', { class: 'ft-parity-count', hidden: true }, count, rows);
  return {
    element: element('div', { class: 'ft-parity-set' }, line.element, result),
    show: (job, differ) => {
      line.show(job);
      result.hidden = job.state === 'idle' || (job.done === 0 && differ === 0);
      rows.hidden = differ === 0;
      result.dataset.state = differ ? 'different' : 'equal';
      const soFar = job.state === 'done' ? '' : ' so far';
      setText(
        count,
        differ
          ? `The prompt differs in ${many(differ, 'row')}${soFar}.`
          : `The prompt is the same in ${job.state === 'done' ? 'all rows' : `all rows${soFar}`}.`,
      );
    },
  };
}

function turnElement(
  turn: ParityTurn,
  open: boolean,
  inspector: Inspector,
  place: number,
  sample: number,
): HTMLElement {
  const title = [
    icon(turn.equal ? CHECK : CROSS),
    element('span', {}, `turn ${turn.turn + 1}`),
    element('span', { class: 'ft-parity-word' }, turn.equal ? 'equal' : 'different'),
  ];
  const state = turn.equal ? 'equal' : 'different';
  if (turn.equal) {
    return element('li', { 'data-state': state }, element('div', { class: 'ft-parity-head' }, ...title));
  }
  const { at } = turn;
  return element(
    'li',
    { 'data-state': state },
    element(
      'details',
      { open },
      element('summary', { class: 'ft-parity-head' }, ...title),
      element('p', { class: 'ft-parity-cause' }, ...withCode(turn.cause)),
      sides(turn),
      ...(turn.fix ? [adviceElement(turn.fix, inspector.announcer)] : []),
      ...(at === null
        ? []
        : [
            button('Show in the sample', `Show token ${whole(at)} in the sample view`, () =>
              inspector.open(place, sample, at),
            ),
          ]),
    ),
  );
}

/** The tokens around the difference, equal ones above each other. */
function sides(turn: ParityTurn): HTMLElement {
  const columns = align(turn.training.ids, turn.prompt.ids);
  const first = columns.findIndex(({ equal }) => !equal);
  const row = (name: string, side: ParitySide, which: 'left' | 'right'): HTMLElement =>
    element(
      'tr',
      {},
      element('th', { scope: 'row' }, name),
      ...columns.map((column, at) => {
        const index = column[which];
        return element(
          'td',
          { 'data-different': !column.equal, 'data-first': at === first },
          index === null ? nothing() : token(side, index, !column.equal),
        );
      }),
    );
  return element(
    'div',
    { class: 'ft-parity-scroll', tabindex: 0, role: 'region', 'aria-label': 'tokens around the difference' },
    element(
      'table',
      { class: 'ft-parity-sides' },
      element(
        'caption',
        {},
        `from token ${whole(turn.from)}${turn.at === null ? '' : `, the first difference at ${whole(turn.at)}`}`,
      ),
      element(
        'tbody',
        {},
        element(
          'tr',
          { class: 'ft-parity-marks', 'aria-hidden': 'true' },
          element('td'),
          ...columns.map(({ equal }, at) => element('td', {}, at === first ? '▼' : equal ? '' : '≠')),
        ),
        row('training', turn.training, 'left'),
        row('chat', turn.prompt, 'right'),
      ),
    ),
  );
}

function token({ ids, texts }: ParitySide, index: number, different: boolean): HTMLElement {
  return element(
    'span',
    { class: 'ft-parity-token', title: `id ${ids[index] ?? ''}` },
    element('bdi', {}, visible(texts[index] ?? '') || '∅'),
    element('small', {}, String(ids[index] ?? '')),
    ...(different ? [element('span', { class: 'ft-unseen' }, 'different')] : []),
  );
}

function nothing(): HTMLElement {
  return element('span', { class: 'ft-parity-nothing' }, element('span', { class: 'ft-unseen' }, 'nothing'));
}
