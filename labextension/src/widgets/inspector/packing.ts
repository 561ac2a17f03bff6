/** The rows that training packs samples into: bars of segments, and of one row the mask and the positions. */

import { element, setText } from '../shared/dom';
import { int32s, sentences } from './connection';
import { many, percent, whole } from './figures';
import { jobLine } from './job_line';
import { maskThumbnail, positionStrip } from './mask_thumbnail';
import { packedBar, pieceWords, pieces, segmentWords } from './packed_bar';
import { packingLayouts } from './packing_layouts';
import type { Inspector, Panel } from './panel';
import type { PackedRow, PackingView } from './protocol';
import { windowed } from './windowed';

const ROW_HEIGHT = 32;
/** Packed rows of one request. */
const PAGE = 64;
/** Milliseconds of rest on a row before its mask is asked for. */
export const REST = 150;
/** Milliseconds between two looks at the rows while the set is being counted. */
export const RENEWAL = 2000;

let panels = 0;

export function packingPanel(inspector: Inspector): Panel {
  panels += 1;
  const id = `ft-pack-${panels}`;
  /** Rows by page; a page that is asked for has an empty list. */
  const known = new Map<number, PackedRow[]>();
  let view: PackingView | undefined;
  let layout: string | null = null;
  /** Counts up when all that is known may have changed: replies to earlier questions are dropped. */
  let edition = 0;
  let seen = false;
  let scanned = -1;
  let renewed = 0;
  let generation: number | undefined;
  let chosen = { row: 0, segment: 0 };
  let rest: ReturnType<typeof setTimeout> | undefined;

  const counting = jobLine({
    start: 'Count the set',
    idle: 'Nothing is counted yet.',
    tell: action => inspector.tell({ type: 'scan', action }),
  });
  const message = element('p', { class: 'ft-note', role: 'status' });
  const layouts = packingLayouts(name => {
    layout = name;
    renew(true);
  });
  const strip = element('p', { class: 'ft-pack-detail' });
  const picture = element('div', { class: 'ft-pack-picture' });
  const axis = element('div', { class: 'ft-pack-axis', 'aria-hidden': 'true' });
  const list = windowed({
    height: ROW_HEIGHT,
    make: row => rowElement(row),
    drawn: (start, stop) => fetchRows(start, stop),
  });
  for (const [name, value] of Object.entries({
    role: 'grid',
    tabindex: 0,
    'aria-label': 'packed rows',
    'data-lm-suppress-shortcuts': 'true',
  })) {
    list.box.setAttribute(name, String(value));
  }
  list.box.classList.add('ft-pack-rows');
  const content = element(
    'div',
    { class: 'ft-pack-content', hidden: true },
    layouts.element,
    element('div', { class: 'ft-pack-frame' }, axis, list.box),
    legend(),
    strip,
    picture,
  );

  const capacity = (): number =>
    Math.max(1, view?.layouts.find(({ name }) => name === view?.layout)?.capacity ?? 1);
  const rowAt = (row: number): PackedRow | undefined => known.get(Math.floor(row / PAGE))?.[row % PAGE];
  const rowElement = (row: number): HTMLElement => {
    const packed = rowAt(row);
    const made = element(
      'div',
      {
        class: 'ft-pack-row',
        role: 'row',
        'aria-rowindex': row + 1,
        'aria-selected': String(row === chosen.row),
        'data-row': row,
      },
      element('span', { class: 'ft-pack-number', role: 'rowheader' }, whole(row + 1)),
      packed ? packedBar(packed, capacity(), id) : element('div', { class: 'ft-pack-waiting' }),
      element('span', { class: 'ft-pack-fill' }, packed ? percent(packed.tokens, packed.width) : ''),
    );
    if (row === chosen.row) {
      chosenCell(made)?.setAttribute('data-chosen', '');
    }
    return made;
  };
  /** The cell of the chosen segment, in the element of its row. */
  const chosenCell = (made: HTMLElement | undefined): Element | null | undefined => {
    const packed = rowAt(chosen.row);
    const piece = packed && pieces(packed, capacity()).find(({ stop }) => stop > chosen.segment);
    return piece && made?.querySelector(`[data-segment="${piece.first}"]`);
  };
  const fetchRows = (start: number, stop: number): void => {
    if (view) {
      for (let page = Math.floor(start / PAGE); page * PAGE < Math.min(stop, view.total); page += 1) {
        if (!known.has(page)) {
          known.set(page, []);
          ask(page);
        }
      }
    }
  };
  const ask = (page: number): void => {
    const asked = edition;
    inspector
      .ask('packing', { layout, start: page * PAGE, stop: (page + 1) * PAGE })
      .then(({ message: reply }) => {
        if (asked === edition) {
          take(reply, page);
        }
      })
      .catch((refusal: unknown) => {
        if (asked === edition) {
          known.delete(page);
          setText(message, sentences(refusal));
        }
      });
  };
  const take = (reply: PackingView, page: number): void => {
    const first = view === undefined || view.layout !== reply.layout || view.total !== reply.total;
    view = reply;
    known.set(page, reply.rows);
    content.hidden = reply.total === 0;
    setText(
      message,
      reply.message || (reply.total ? `Of the ${many(reply.samples, 'sample')} looked at and kept.` : ''),
    );
    layouts.draw(reply.layouts, reply.layout);
    drawAxis(axis, capacity());
    list.box.setAttribute('aria-rowcount', String(reply.total));
    list.box.style.height = `${Math.min(Math.max(reply.total, 1), 10) * ROW_HEIGHT + 2}px`;
    if (first) {
      list.reset(reply.total);
    } else {
      reply.rows.forEach(({ row }) => list.redraw(row));
    }
    if (Math.floor(chosen.row / PAGE) === page && reply.total > 0) {
      choose(Math.min(chosen.row, reply.total - 1), chosen.segment);
    }
    const visible = list.seen();
    fetchRows(visible.first, visible.first + visible.count);
  };
  /** Ask anew for what can be seen. */
  const renew = (fromTop: boolean): void => {
    edition += 1;
    known.clear();
    if (fromTop) {
      view = undefined;
      chosen = { row: 0, segment: 0 };
    }
    const page = view ? Math.floor(list.seen().first / PAGE) : 0;
    known.set(page, []);
    ask(page);
  };

  const choose = (row: number, segment: number): void => {
    const before = chosen;
    const packed = rowAt(row);
    chosen = { row, segment: Math.max(0, Math.min(segment, (packed?.segments.length ?? 1) - 1)) };
    list.at(before.row)?.setAttribute('aria-selected', 'false');
    list.at(before.row)?.querySelector('[data-chosen]')?.removeAttribute('data-chosen');
    const shown = list.at(row);
    shown?.setAttribute('aria-selected', 'true');
    setText(strip, packed ? segmentWords(packed, chosen.segment) : '');
    const cell = chosenCell(shown);
    cell?.setAttribute('data-chosen', '');
    if (cell) {
      list.box.setAttribute('aria-activedescendant', cell.id);
    } else {
      list.box.removeAttribute('aria-activedescendant');
    }
    clearTimeout(rest);
    rest = setTimeout(() => drawPicture(row), REST);
  };
  const drawPicture = (row: number): void => {
    if (!view || !rowAt(row)) {
      return;
    }
    const asked = edition;
    const current = (): boolean => asked === edition && row === chosen.row;
    inspector
      .ask('pack', { layout: view.layout, row })
      .then(({ buffers }) => {
        if (current()) {
          const [positions, ids] = [int32s(buffers[2]), int32s(buffers[3])];
          picture.replaceChildren(maskThumbnail(ids), positionStrip(positions, ids));
        }
      })
      .catch((refusal: unknown) => {
        if (current()) {
          picture.replaceChildren(element('p', { class: 'ft-note' }, sentences(refusal)));
        }
      });
  };
  const open = (row: number, segment: number): void => {
    const found = rowAt(row)?.segments[segment];
    if (found) {
      inspector.open(found.place, found.sample);
    }
  };

  /** The row and the segment that an event is about; of segments that are drawn as one, the first. */
  const met = (event: Event): { row: number; segment: number | null } | undefined => {
    const target = event.target as Element;
    const row = target.closest<HTMLElement>('.ft-pack-row');
    const cell = target.closest<HTMLElement>('.ft-pack-segment');
    return row
      ? { row: Number(row.dataset.row), segment: cell ? Number(cell.dataset.segment) : null }
      : undefined;
  };
  list.box.addEventListener('click', event => {
    const found = met(event);
    if (found) {
      choose(found.row, found.segment ?? 0);
      if (found.segment !== null) {
        open(found.row, found.segment);
      }
    }
  });
  list.box.addEventListener('mouseover', event => {
    const found = met(event);
    const packed = found && rowAt(found.row);
    if (packed && found.segment !== null) {
      setText(strip, pieceWords(packed, found.segment, capacity()));
    }
  });
  list.box.addEventListener('mouseleave', () => {
    const packed = rowAt(chosen.row);
    setText(strip, packed ? segmentWords(packed, chosen.segment) : '');
  });
  list.box.addEventListener('keydown', event => {
    if (!view || event.ctrlKey || event.altKey || event.metaKey) {
      return;
    }
    const { row, segment } = chosen;
    const last = view.total - 1;
    const inRow = (rowAt(row)?.segments.length ?? 1) - 1;
    const page = list.seen().count;
    const moves: Record<string, [number, number]> = {
      ArrowDown: [row + 1, 0],
      ArrowUp: [row - 1, 0],
      PageDown: [row + page, 0],
      PageUp: [row - page, 0],
      Home: [0, 0],
      End: [last, 0],
      ArrowRight: [row, Math.min(segment + 1, inRow)],
      ArrowLeft: [row, Math.max(segment - 1, 0)],
    };
    const move = moves[event.key];
    if (move) {
      const to = Math.max(0, Math.min(last, move[0]));
      list.reveal(to);
      choose(to, move[1]);
    } else if (event.key === 'Enter' || event.key === ' ') {
      open(row, segment);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  });

  const look = (): void => {
    if (!seen) {
      seen = true;
      renew(true);
    }
  };
  const panel = element('div', { class: 'ft-panel ft-packing' }, counting.element, message, content);
  const isShown = (): boolean => panel.isConnected && !panel.closest('[hidden]');
  return {
    element: panel,
    showState: state => {
      if (generation !== undefined && generation !== state.generation) {
        seen = false;
        scanned = -1;
        picture.replaceChildren();
        if (isShown()) {
          look();
        }
      }
      generation = state.generation;
    },
    showProgress: ({ jobs: { scan } }) => {
      counting.show(scan);
      counting.element.hidden = scan.state === 'done';
      const now = Date.now();
      const due = scan.state !== 'running' || now - renewed >= RENEWAL;
      if (scan.done !== scanned && due) {
        scanned = scan.done;
        renewed = now;
        if (isShown() && seen) {
          renew(false);
        } else {
          seen = false;
        }
      }
    },
    shown: look,
    destroy: () => {
      clearTimeout(rest);
      list.destroy();
    },
  };
}

function legend(): HTMLElement {
  const entry = (name: string, words: string): HTMLElement =>
    element('span', {}, element('i', { class: name, 'aria-hidden': 'true' }), words);
  return element(
    'p',
    { class: 'ft-panel-legend' },
    entry('ft-pack-key-sample', 'a sample, its number in the row and its tokens'),
    entry('ft-pack-key-trained', 'trained share'),
    entry('ft-pack-key-many', 'several short samples'),
    entry('ft-pack-key-padding', 'padding'),
  );
}

/** Tokens along the bars. */
function drawAxis(axis: HTMLElement, capacity: number): void {
  const shares = [0, 0.25, 0.5, 0.75, 1];
  axis.replaceChildren(
    ...shares.map(share => {
      const mark = element('span', {}, whole(share * capacity));
      mark.style.left = `${share * 100}%`;
      return mark;
    }),
  );
}
