/** The set in numbers: how much there is, how long, whose, and what training leaves out. */

import { element, setText } from '../shared/dom';
import { many, percent, whole } from './figures';
import { jobLine } from './job_line';
import { lengthChart } from './length_chart';
import type { Inspector, Panel } from './panel';
import type { State, Summary } from './protocol';

export function summaryPanel(inspector: Inspector): Panel {
  let state: State | undefined;
  let summary: Summary | null = null;

  const line = jobLine({
    start: 'Count the set',
    idle: 'Nothing is counted yet.',
    tell: action => inspector.tell({ type: 'scan', action }),
  });
  const figures = tiles();
  const chart = lengthChart(inspector);
  const roles = table('Tokens by role', ['role', 'tokens', '', 'trained']);
  const dropped = table('Left out of training', ['reason', 'samples', '', 'of all']);
  const complete = element('p', { class: 'ft-note' }, 'Training leaves out no sample.');
  const content = element(
    'div',
    { class: 'ft-summary-content', hidden: true },
    figures.element,
    chart.element,
    element(
      'div',
      { class: 'ft-summary-tables' },
      roles.element,
      element('div', {}, dropped.element, complete),
    ),
  );
  const draw = (): void => {
    content.hidden = summary === null;
    if (summary && state) {
      figures.draw(summary, state);
      chart.show(summary, state.sequence_len);
      roles.draw(roleRows(summary));
      dropped.draw(droppedRows(summary));
      dropped.element.hidden = summary.dropped.length === 0;
      complete.hidden = summary.dropped.length > 0;
      chart.shown();
    }
  };
  return {
    element: element('div', { class: 'ft-panel ft-summary' }, line.element, content),
    showState: newState => {
      // Numbers of another generation are those of other settings.
      if (state && newState.generation !== state.generation) {
        summary = null;
      }
      state = newState;
      draw();
    },
    showProgress: ({ jobs, summary: newSummary }) => {
      line.show(jobs.scan);
      summary = newSummary;
      draw();
    },
    shown: draw,
    destroy: chart.destroy,
  };
}

interface Tiles {
  element: HTMLElement;
  draw(summary: Summary, state: State): void;
}

function tiles(): Tiles {
  const list = element('dl', { class: 'ft-summary-tiles' });
  const tile = (label: string): ((value: string, note: string) => void) => {
    const value = element('dd', { class: 'ft-summary-value' }, '–');
    const note = element('dd', { class: 'ft-summary-note' });
    list.append(element('div', { class: 'ft-summary-tile' }, element('dt', {}, label), value, note));
    return (newValue, newNote) => {
      setText(value, newValue);
      setText(note, newNote);
      note.title = newNote;
    };
  };
  const samples = tile('samples');
  const kept = tile('kept');
  const tokens = tile('tokens');
  const trained = tile('trained');
  const longest = tile('longest');
  const fill = tile('packing fill');
  return {
    element: list,
    draw: (summary, state) => {
      const out = summary.samples - summary.kept;
      samples(whole(summary.samples), `from ${many(state.rows, 'row')}`);
      kept(whole(summary.kept), out ? `${whole(out)} left out` : 'all of them');
      tokens(short(summary.tokens), mean(summary));
      trained(percent(summary.trained, summary.tokens), many(summary.trained, 'token'));
      longest(whole(summary.longest), `sequence_len ${whole(state.sequence_len)}`);
      fill(
        summary.fill === null ? '–' : percent(summary.fill, 1),
        summary.packed_rows === null ? 'nothing is packed' : many(summary.packed_rows, 'packed row'),
      );
    },
  };
}

function mean({ tokens, samples }: Summary): string {
  return samples ? `${whole(tokens / samples)} a sample` : '';
}

/** Tokens of a large set: `1.23 B`, `45.6 M`; below a million, all digits. */
function short(count: number): string {
  const units: [number, string][] = [
    [1e12, 'T'],
    [1e9, 'B'],
    [1e6, 'M'],
  ];
  const unit = units.find(([size]) => count >= size);
  return unit ? `${(count / unit[0]).toPrecision(3)} ${unit[1]}` : whole(count);
}

/** A row of a table: a name, a number, a bar with a part of it filled, a share. */
interface Row {
  name: string;
  count: string;
  /** Of the widest bar. */
  bar: number;
  /** Of this bar. */
  filled: number;
  share: string;
}

function roleRows({ roles }: Summary): Row[] {
  const most = Math.max(1, ...roles.map(({ tokens }) => tokens));
  return roles.map(({ role, tokens, trained }) => ({
    name: role,
    count: whole(tokens),
    bar: tokens / most,
    filled: tokens ? trained / tokens : 0,
    share: percent(trained, tokens),
  }));
}

function droppedRows({ dropped, samples: all }: Summary): Row[] {
  const most = Math.max(1, ...dropped.map(({ samples }) => samples));
  return dropped.map(({ reason, samples }) => ({
    name: reason,
    count: whole(samples),
    bar: samples / most,
    filled: 0,
    share: percent(samples, all),
  }));
}

interface Table {
  element: HTMLElement;
  draw(rows: Row[]): void;
}

function table(caption: string, [name, count, bar, share]: [string, string, string, string]): Table {
  const body = element('tbody');
  const head = (text: string): HTMLElement =>
    text ? element('th', { scope: 'col' }, text) : element('td', {});
  return {
    element: element(
      'table',
      { class: 'ft-table' },
      element('caption', {}, caption),
      element('thead', {}, element('tr', {}, head(name), head(count), head(bar), head(share))),
      body,
    ),
    draw: rows =>
      body.replaceChildren(
        ...rows.map(row => {
          const filled = element('span', { class: 'ft-table-filled' });
          filled.style.width = `${row.filled * 100}%`;
          const drawn = element('span', { class: 'ft-table-bar' }, filled);
          drawn.style.width = `${row.bar * 100}%`;
          return element(
            'tr',
            {},
            element('th', { scope: 'row' }, row.name),
            element('td', { class: 'ft-number' }, row.count),
            element('td', { class: 'ft-table-drawn', 'aria-hidden': 'true' }, drawn),
            element('td', { class: 'ft-number' }, row.share),
          );
        }),
      ),
  };
}
