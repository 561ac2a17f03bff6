/** How long samples are: a histogram, with a line where training cuts. */

import { element } from '../shared/dom';
import type { Plotly } from '../shared/plotly';
import { colour } from '../shared/theme';
import { many, percent, whole } from './figures';
import type { Inspector } from './panel';
import type { Summary } from './protocol';

/** How far beyond the last bar, as a share of all, the line of sequence_len is still drawn. */
const REACH = 1.3;

/** A drag zooms and a double click goes back; buttons would lie over the line's name. */
const CONFIG = { displayModeBar: false };

type Lengths = Pick<Summary, 'edges' | 'counts'>;

export interface LengthChart {
  element: HTMLElement;
  show(lengths: Lengths, sequenceLen: number): void;
  /** Draw what came while it could not be seen. */
  shown(): void;
  destroy(): void;
}

export function lengthChart(inspector: Inspector): LengthChart {
  let library: Plotly | undefined;
  let lengths: Lengths = { edges: [], counts: [] };
  let sequenceLen = 0;
  let logarithmic = false;
  let asked = false;
  let drawn = false;
  let left = false;

  const chart = element('div', { class: 'ft-lengths-chart', role: 'img' });
  const note = element('p', { class: 'ft-note' });
  const scale = element(
    'button',
    { type: 'button', class: 'ft-log-scale', 'aria-pressed': 'false', title: 'Show few samples beside many' },
    'log scale',
  );
  scale.addEventListener('click', () => {
    logarithmic = !logarithmic;
    scale.setAttribute('aria-pressed', String(logarithmic));
    draw();
  });
  const figure = element(
    'figure',
    { class: 'ft-lengths' },
    element('figcaption', {}, element('span', {}, 'samples by length in tokens'), scale),
    chart,
    note,
  );

  const root = (): HTMLElement => figure.closest<HTMLElement>('.ft-root') ?? figure;
  // Outside the document, or where it is hidden, it has no size and no colours.
  const visible = (): boolean => figure.isConnected && chart.clientWidth > 0;
  const draw = (): void => {
    if (library && visible() && lengths.counts.length) {
      drawn = true;
      // Only now is it certain to be inside of what says which theme it is; to watch that again changes nothing.
      themed.observe(root(), { attributeFilter: ['data-ft-theme'] });
      void library.react(
        chart,
        [trace(root(), lengths, sequenceLen)],
        layout(root(), lengths, sequenceLen, logarithmic),
        CONFIG,
      );
    }
  };
  const resized = new ResizeObserver(() => {
    if (!drawn) {
      draw();
    } else if (library && visible()) {
      void library.Plots.resize(chart);
    }
  });
  resized.observe(chart);
  const themed = new MutationObserver(() => {
    // JupyterLab hides everything while its theme changes, often for less than a frame.
    drawn = false;
    requestAnimationFrame(draw);
  });

  return {
    element: figure,
    show: (newLengths, newSequenceLen) => {
      const same =
        newSequenceLen === sequenceLen &&
        String(newLengths.counts) === String(lengths.counts) &&
        String(newLengths.edges) === String(lengths.edges);
      if (!same) {
        drawn = false;
        lengths = newLengths;
        sequenceLen = newSequenceLen;
        chart.setAttribute('aria-label', inWords(lengths));
        note.textContent = inReach(lengths, sequenceLen)
          ? ''
          : `sequence_len (${whole(sequenceLen)}) is far beyond the longest sample.`;
        draw();
      }
    },
    shown: () => {
      if (!asked) {
        asked = true;
        void inspector
          .plotly()
          .then(loaded => {
            if (!left) {
              library = loaded;
            }
          })
          .catch((reason: Error) => {
            note.textContent = `There is no histogram: ${reason.message}.`;
          })
          .then(draw);
      }
      if (!drawn) {
        draw();
      }
    },
    destroy: () => {
      left = true;
      resized.disconnect();
      themed.disconnect();
      library?.purge(chart);
      library = undefined;
    },
  };
}

function inReach({ edges }: Lengths, sequenceLen: number): boolean {
  return edges.length === 0 || sequenceLen <= (edges.at(-1) ?? 0) * REACH;
}

/** What the bars show, as a sentence. */
function inWords({ edges, counts }: Lengths): string {
  const all = counts.reduce((sum, count) => sum + count, 0);
  const most = counts.indexOf(Math.max(...counts));
  return all === 0
    ? 'Histogram of lengths: no samples.'
    : `Histogram of the lengths of ${many(all, 'sample')}, from ${whole(edges[0] ?? 0)} to ` +
        `${whole((edges.at(-1) ?? 1) - 1)} tokens; most of them, ${percent(counts[most] ?? 0, all)}, have ` +
        `${range(edges, most)}.`;
}

/** The lengths of a bar; its upper edge is the lower one of the next. */
function range(edges: number[], at: number): string {
  const [first, last] = [edges[at] ?? 0, (edges[at + 1] ?? 0) - 1];
  return last > first ? `${whole(first)} to ${whole(last)}` : whole(first);
}

function trace(root: HTMLElement, { edges, counts }: Lengths, sequenceLen: number): object {
  const over = edges.map(edge => edge >= sequenceLen);
  const [inside, outside] = [colour(root, '--ft-loss'), colour(root, '--ft-eval')];
  return {
    type: 'bar',
    x: counts.map((_, at) => ((edges[at] ?? 0) + (edges[at + 1] ?? 0)) / 2),
    y: counts,
    width: counts.map((_, at) => (edges[at + 1] ?? 0) - (edges[at] ?? 0)),
    customdata: counts.map((_, at) => `${range(edges, at)} tokens`),
    hovertemplate: '%{customdata}<br><b>%{y:,}</b> samples<extra></extra>',
    marker: {
      color: counts.map((_, at) => (over[at] ? outside : inside)),
      // What is longer than a row differs by more than its colour.
      pattern: {
        shape: counts.map((_, at) => (over[at] ? '/' : '')),
        fgcolor: colour(root, '--ft-surface'),
        bgcolor: outside,
        solidity: 0.25,
        size: 6,
      },
      line: { width: 1, color: colour(root, '--ft-surface') },
    },
  };
}

function layout(root: HTMLElement, lengths: Lengths, sequenceLen: number, logarithmic: boolean): object {
  const line = colour(root, '--ft-line');
  const text = colour(root, '--ft-muted');
  const strong = colour(root, '--ft-text');
  const axis = {
    gridcolor: line,
    linecolor: line,
    zeroline: false,
    automargin: true,
    ticks: '',
    tickformat: ',d',
  };
  const drawn = inReach(lengths, sequenceLen);
  const last = Math.max(lengths.edges.at(-1) ?? 0, drawn ? sequenceLen * 1.02 : 0);
  const toTheRight = sequenceLen < last * 0.6;
  return {
    autosize: true,
    margin: { l: 40, r: 8, t: 20, b: 26 },
    paper_bgcolor: 'rgba(0,0,0,0)',
    plot_bgcolor: 'rgba(0,0,0,0)',
    font: { family: getComputedStyle(root).fontFamily, size: 11, color: text },
    bargap: 0,
    xaxis: { ...axis, showgrid: false, range: [lengths.edges[0] ?? 0, last] },
    yaxis: { ...axis, type: logarithmic ? 'log' : 'linear', nticks: 5, dtick: logarithmic ? 1 : undefined },
    showlegend: false,
    shapes: drawn
      ? [
          {
            type: 'line',
            yref: 'paper',
            x0: sequenceLen,
            x1: sequenceLen,
            y0: 0,
            y1: 1,
            line: { color: strong, width: 1.5, dash: 'dash' },
          },
        ]
      : [],
    annotations: drawn
      ? [
          {
            x: sequenceLen,
            y: 1,
            yref: 'paper',
            yanchor: 'bottom',
            xanchor: toTheRight ? 'left' : 'right',
            showarrow: false,
            text: `sequence_len ${whole(sequenceLen)}`,
            font: { color: strong },
          },
        ]
      : [],
    hoverlabel: {
      bgcolor: colour(root, '--ft-surface'),
      bordercolor: line,
      font: { color: strong },
    },
    uirevision: `${logarithmic}`,
  };
}
