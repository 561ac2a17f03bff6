/** The curves of a run: the loss, and beside it one of the other columns. */

import { element, setText } from '../shared/dom';
import type { Plotly } from '../shared/plotly';
import { colour } from '../shared/theme';
import type { Curves, StepColumn } from './curves';

/** Up to this many points a line is drawn with a marker at each: one point alone has no line. */
const SPARSE = 3;

const SIDES: [StepColumn, string][] = [
  ['learning_rate', 'learning rate'],
  ['grad_norm', 'gradient norm'],
  ['tokens_per_second', 'tokens/s'],
  ['gpu_memory', 'GPU memory (GiB)'],
  ['rewards/margins', 'reward margin'],
  ['rewards/accuracies', 'pairs told apart'],
];

/** Not every run has these. */
const OPTIONAL: StepColumn[] = ['gpu_memory', 'rewards/margins', 'rewards/accuracies'];

const CONFIG = {
  displaylogo: false,
  modeBarButtonsToRemove: ['select2d', 'lasso2d', 'autoScale2d'],
};

export interface Charts {
  element: HTMLElement;
  /** Draw with this library from now on. */
  use(library: Plotly, curves: Curves): void;
  /** Say why there are no curves; an empty text takes their place away. */
  explain(text: string): void;
  /** Draw everything again. */
  replace(curves: Curves): void;
  /** Draw the points of `fresh` after those drawn before; `all` has them already. */
  extend(fresh: Curves, all: Curves): void;
  /** Mark these steps, after which the adapter was begun anew. */
  mark(restarts: number[]): void;
  stop(): void;
}

export function charts(root: HTMLElement): Charts {
  let library: Plotly | undefined;
  let shown: Curves | undefined;
  let side: StepColumn = 'learning_rate';
  let drawn = false;
  let restarts: number[] = [];

  const lossChart = element('div', { class: 'ft-chart' });
  const sideChart = element('div', { class: 'ft-chart' });
  const empty = element('p', { class: 'ft-charts-empty' }, 'The curves begin with the first step.');
  const choices = SIDES.map(([column, label]) => {
    const choice = element('button', { type: 'button', 'aria-pressed': String(column === side) }, label);
    choice.addEventListener('click', () => {
      side = column;
      choices.forEach(other => other.setAttribute('aria-pressed', String(other === choice)));
      redraw();
    });
    return choice;
  });
  const begunAnew = element('span', { class: 'ft-restarts', hidden: true });
  const grid = element(
    'div',
    { class: 'ft-charts', hidden: true },
    element('figure', {}, element('figcaption', {}, 'loss by step', begunAnew), lossChart),
    element(
      'figure',
      {},
      element(
        'figcaption',
        {},
        element('span', { class: 'ft-choices', role: 'group', 'aria-label': 'second chart' }, ...choices),
      ),
      sideChart,
    ),
  );

  const fit = (): void => {
    if (library && drawn && lossChart.clientWidth > 0) {
      void library.Plots.resize(lossChart);
      void library.Plots.resize(sideChart);
    }
  };
  const redraw = (): void => {
    const drawable = library !== undefined && shown !== undefined && hasPoints(shown);
    grid.hidden = !drawable;
    empty.hidden = drawable;
    // A run on the CPU has no GPU memory to draw.
    SIDES.forEach(([column], at) => {
      const choice = choices[at];
      if (choice && shown) {
        choice.hidden = OPTIONAL.includes(column) && !shown.steps[column].some(Number.isFinite);
      }
    });
    // Outside the document there are no colours and no sizes yet.
    drawn = drawable && root.isConnected;
    if (library && shown && drawn) {
      void library.react(lossChart, lossTraces(root, shown), layout(root, true, restarts), CONFIG);
      void library.react(sideChart, sideTraces(root, shown, side), layout(root, false, restarts), CONFIG);
      // JupyterLab hides everything while its theme changes; what is drawn then has the size of the first drawing.
      requestAnimationFrame(fit);
    }
  };

  // The output area may be narrow, hidden or moved to its own tab at any time; a window's resize tells of none of it.
  const resized = new ResizeObserver(() => {
    if (!drawn) {
      redraw();
    } else {
      fit();
    }
  });
  const whole = element('div', {}, empty, grid);
  resized.observe(whole);
  // A page in the background draws nothing, and draws once when it is looked at again.
  const looked = (): void => {
    if (!document.hidden) {
      redraw();
    }
  };
  document.addEventListener('visibilitychange', looked);

  return {
    element: whole,
    use: (loaded, curves) => {
      library = loaded;
      shown = curves;
      redraw();
    },
    explain: text => setText(empty, text),
    replace: curves => {
      shown = curves;
      redraw();
    },
    extend: ({ steps, evals }, all) => {
      shown = all;
      if (!library || document.hidden) {
        return;
      }
      const stepsBefore = all.steps.step.length - steps.step.length;
      const evalsBefore = all.evals.step.length - evals.step.length;
      // Markers and the legend are decided when a chart is drawn whole.
      if (!drawn || stepsBefore <= SPARSE || (evalsBefore === 0 && evals.step.length > 0)) {
        redraw();
        return;
      }
      const x: number[][] = [];
      const y: number[][] = [];
      const traces: number[] = [];
      if (steps.step.length) {
        x.push(steps.step, steps.step);
        y.push(steps.loss, steps.smoothed);
        traces.push(0, 1);
        void library.extendTraces(sideChart, { x: [steps.step], y: [steps[side]] }, [0]);
      }
      if (evals.step.length) {
        x.push(evals.step);
        y.push(evals.loss);
        traces.push(2);
      }
      if (traces.length) {
        void library.extendTraces(lossChart, { x, y }, traces);
      }
    },
    mark: steps => {
      if (String(steps) !== String(restarts)) {
        restarts = steps;
        begunAnew.hidden = steps.length === 0;
        setText(
          begunAnew,
          steps.length === 1 ? 'adapter begun anew once' : `adapter begun anew ${steps.length} times`,
        );
        redraw();
      }
    },
    stop: () => {
      drawn = false;
      resized.disconnect();
      document.removeEventListener('visibilitychange', looked);
      library?.purge(lossChart);
      library?.purge(sideChart);
    },
  };
}

function hasPoints({ steps, evals }: Curves): boolean {
  return steps.step.length + evals.step.length > 0;
}

// The traces get copies: plotly.js appends to the arrays that it was given.

function lossTraces(root: HTMLElement, { steps, evals }: Curves): object[] {
  const mode = steps.step.length <= SPARSE ? 'lines+markers' : 'lines';
  const loss = colour(root, '--ft-loss');
  const evalColour = colour(root, '--ft-eval');
  return [
    {
      name: 'loss',
      x: [...steps.step],
      y: [...steps.loss],
      mode,
      opacity: 0.5,
      line: { color: loss, width: 1 },
      marker: { size: 4 },
      hovertemplate: '%{y:.4f}',
    },
    {
      name: 'smoothed',
      x: [...steps.step],
      y: [...steps.smoothed],
      mode,
      line: { color: loss, width: 2.5 },
      marker: { size: 4 },
      hovertemplate: '%{y:.4f}',
    },
    {
      name: 'eval loss',
      x: [...evals.step],
      y: [...evals.loss],
      mode: 'lines+markers',
      showlegend: evals.step.length > 0,
      line: { color: evalColour, width: 1.5, dash: 'dot' },
      marker: { color: evalColour, size: 9, symbol: 'diamond' },
      hovertemplate: '%{y:.4f}',
    },
  ];
}

function sideTraces(root: HTMLElement, { steps }: Curves, side: StepColumn): object[] {
  return [
    {
      name: SIDES.find(([column]) => column === side)?.[1],
      x: [...steps.step],
      y: [...steps[side]],
      mode: steps.step.length <= SPARSE ? 'lines+markers' : 'lines',
      connectgaps: true,
      line: { color: colour(root, '--ft-side'), width: 1.75 },
      marker: { size: 4 },
      hovertemplate: side === 'tokens_per_second' ? '%{y:,.0f}' : '%{y:.3~g}',
    },
  ];
}

function layout(root: HTMLElement, legend: boolean, restarts: number[]): object {
  const line = colour(root, '--ft-line');
  const text = colour(root, '--ft-muted');
  const axis = { gridcolor: line, linecolor: line, zeroline: false, automargin: true, ticks: '' };
  return {
    autosize: true,
    margin: { l: 36, r: 8, t: legend ? 26 : 8, b: 24 },
    paper_bgcolor: 'rgba(0,0,0,0)',
    plot_bgcolor: 'rgba(0,0,0,0)',
    font: { family: getComputedStyle(root).fontFamily, size: 11, color: text },
    xaxis: { ...axis, showgrid: false, tickformat: ',d', rangemode: 'nonnegative', hoverformat: ',d' },
    yaxis: { ...axis, exponentformat: 'e', nticks: legend ? 7 : 5, rangemode: legend ? 'normal' : 'tozero' },
    showlegend: legend,
    shapes: restarts.map(step => ({
      type: 'line',
      yref: 'paper',
      x0: step,
      x1: step,
      y0: 0,
      y1: 1,
      line: { color: text, width: 1, dash: 'dot' },
    })),
    legend: { orientation: 'h', x: 0, xanchor: 'left', y: 1, yanchor: 'bottom' },
    hovermode: 'x unified',
    hoverlabel: {
      bgcolor: colour(root, '--ft-surface'),
      bordercolor: line,
      font: { color: colour(root, '--ft-text') },
    },
    modebar: { bgcolor: 'rgba(0,0,0,0)', color: line, activecolor: text },
    // The same value again keeps the reader's zoom and hidden traces.
    uirevision: 'kept',
  };
}
