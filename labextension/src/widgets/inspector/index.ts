/** An inspector of what a config trains on. Its messages: docs/reference/widget-messages.md. */

import type { RenderProps } from '@anywidget/types';

import { announcer } from '../shared/announcer';
import { element, icon, setText } from '../shared/dom';
import { CHECK, CROSS, DOTS } from '../shared/icons';
import { deliver, plotly } from '../shared/plotly';
import { followTheme } from '../shared/theme';
import { connection, sentences } from './connection';
import { findingsPanel } from './findings';
import { list } from './list';
import { lossesPanel } from './losses';
import { packingPanel } from './packing';
import type { Inspector, Panel, SamplePanel } from './panel';
import { parityPanel } from './parity';
import type { Progress, State, ToKernel } from './protocol';
import { samplePane } from './sample';
import type { Mode } from './sample';
import { summaryPanel } from './summary';
import { tabs } from './tabs';
import { whatIfPanel } from './what_if';

/** What the kernel keeps for a page that opens later: where the reader was. */
interface Traits {
  place: number;
  tab: string;
  mode: Mode;
}

/** Milliseconds without an answer after which the page says what it waits for. */
export const PATIENCE = 3000;

const STATUS: Record<State['status'] | 'connecting', [words: string, icon: string]> = {
  connecting: ['connecting…', DOTS],
  opening: ['opening…', DOTS],
  ready: ['ready', CHECK],
  failed: ['failed', CROSS],
};

function render({ model, el }: RenderProps<Traits>): () => void {
  const send = (message: ToKernel): void => model.send(message);
  const keep = <Name extends keyof Traits>(name: Name, value: Traits[Name]): void => {
    if (model.get(name) !== value) {
      model.set(name, value);
      model.save_changes();
    }
  };
  let state: State | null = null;
  /** Whether a sample was shown. */
  let seen = false;

  const chip = element('span', { class: 'ft-chip', role: 'status' });
  const title = element('strong', { class: 'ft-ins-title' }, 'Inspector');
  const about = element('span', { class: 'ft-ins-about' });
  const trouble = element('div', { class: 'ft-trouble', role: 'alert', hidden: true });
  const announce = announcer();

  const talk = connection(send, {
    state: (to, renewed) => showState(to, renewed),
    progress: to => showProgress(to),
    plotly: file => deliver(new Uint8Array(file.buffer as ArrayBuffer, file.byteOffset, file.byteLength)),
    error: refusal => complain(sentences(refusal)),
  });
  const inspector: Inspector = {
    ask: talk.ask,
    tell: talk.tell,
    announcer: announce,
    plotly: () => plotly(() => send({ type: 'plotly' })),
    filter: flag => {
      views.show('rows');
      rowList.filter(flag);
    },
    open: (place, sample = 0, token) => {
      views.show('rows');
      rowList.select(place);
      pane.show(place, sample, token);
      keep('place', place);
    },
  };

  const rowList = list(inspector, place => inspector.open(place));
  const pane = samplePane(inspector, model.get('mode') ?? 'tokens', {
    step: by => rowList.step(by),
    filter: inspector.filter,
    mode: mode => keep('mode', mode),
    shown: (place, sample) => {
      seen = true;
      drawers.forEach(({ panel }) => panel.showSample?.(place, sample));
    },
  });

  /** A panel under the sample that a button opens; what it asks of the kernel waits until then. */
  const drawer = (label: string, words: string, panel: Panel & Partial<SamplePanel>) => {
    const place = element(
      'div',
      { class: 'ft-drawer', role: 'group', 'aria-label': label, hidden: true },
      panel.element,
    );
    const toggle = element(
      'button',
      { type: 'button', class: 'ft-button ft-opens', title: words, 'aria-expanded': 'false' },
      label,
    );
    toggle.addEventListener('click', () => {
      place.hidden = !place.hidden;
      toggle.setAttribute('aria-expanded', String(!place.hidden));
      if (!place.hidden) {
        panel.shown?.();
      }
    });
    return { panel, toggle, place };
  };
  const drawers = [
    drawer('Prompt parity', 'Whether chat asks as training has taught', parityPanel(inspector)),
    drawer('What if', 'This sample with other settings', whatIfPanel(inspector)),
    drawer('Losses', 'How surprised a model is by each token', lossesPanel(inspector, pane.losses)),
  ];
  const rowsView = element(
    'div',
    { class: 'ft-ins-rows' },
    rowList.tools,
    element('div', { class: 'ft-ins-panes' }, rowList.element, pane.element),
    element('div', { class: 'ft-drawers' }, ...drawers.map(({ toggle }) => toggle)),
    ...drawers.map(({ place }) => place),
  );
  const tabPanels = {
    summary: summaryPanel(inspector),
    findings: findingsPanel(inspector),
    packing: packingPanel(inspector),
  };
  const panels: Panel[] = [...Object.values(tabPanels), ...drawers.map(({ panel }) => panel)];
  const views = tabs(
    [
      { name: 'rows', label: 'Rows', element: rowsView },
      { name: 'summary', label: 'Summary', element: tabPanels.summary.element },
      { name: 'findings', label: 'Findings', element: tabPanels.findings.element },
      { name: 'packing', label: 'Packing', element: tabPanels.packing.element },
    ],
    name => {
      keep('tab', name);
      tabPanels[name as keyof typeof tabPanels]?.shown?.();
    },
  );

  const root = element(
    'section',
    { class: 'ft-root ft-inspector', 'aria-label': 'inspector', 'data-lm-suppress-shortcuts': 'true' },
    element('header', { class: 'ft-ins-head' }, chip, title, about, views.list),
    trouble,
    ...views.panels,
    announce.element,
  );
  el.append(root);

  const complain = (words: string): void => {
    setText(trouble, words);
    trouble.hidden = words === '';
  };
  const setChip = (status: keyof typeof STATUS): void => {
    if (chip.dataset.state !== status) {
      const [words, path] = STATUS[status];
      chip.dataset.state = status;
      chip.replaceChildren(icon(path), words);
    }
  };
  const showState = (to: State, renewed: boolean): void => {
    clearTimeout(unanswered);
    const ready = to.status === 'ready' && state?.status !== 'ready';
    state = to;
    setChip(to.status);
    setText(title, to.title);
    setText(about, facts(to));
    trouble.dataset.state = to.status;
    complain([to.message, to.fix].filter(Boolean).join(' '));
    rowList.showState(to);
    pane.showState(to);
    panels.forEach(panel => panel.showState(to));
    if (!seen && to.rows > 0 && (renewed || ready)) {
      const place = Math.min(model.get('place') ?? 0, to.rows - 1);
      rowList.select(place);
      pane.show(place, 0);
    } else if (seen && renewed) {
      pane.again();
    }
  };
  const showProgress = (to: Progress): void => {
    rowList.showProgress(to);
    panels.forEach(panel => panel.showProgress(to));
    views.note('findings', to.findings.length);
  };

  model.on('msg:custom', talk.receive);
  const unfollow = followTheme(root, () => undefined);
  const unanswered = setTimeout(() => complain('waiting for the kernel'), PATIENCE);
  setChip('connecting');
  views.show(model.get('tab') ?? 'rows');
  send({ type: 'hello' });

  return () => {
    clearTimeout(unanswered);
    announce.stop();
    rowList.destroy();
    pane.destroy();
    panels.forEach(panel => panel.destroy?.());
    unfollow();
    model.off('msg:custom', talk.receive);
  };
}

function facts({ rows, tokenizer, sequence_len: length, packing }: State): string {
  return [
    `${rows.toLocaleString('en')} ${rows === 1 ? 'row' : 'rows'}`,
    tokenizer,
    `sequence_len ${length.toLocaleString('en')}`,
    packing ? 'packed' : '',
  ]
    .filter(Boolean)
    .join(' · ');
}

export default { render };
