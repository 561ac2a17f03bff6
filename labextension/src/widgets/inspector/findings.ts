/** What is wrong or suspicious with the set, worst first: its rows, the reason, the fix. */

import { button, element, icon, setText } from '../shared/dom';
import { CHECK } from '../shared/icons';
import { adviceElement, withCode } from './advice';
import { many, percent, whole } from './figures';
import { jobLine } from './job_line';
import type { Inspector, Panel } from './panel';
import type { Finding, Job } from './protocol';
import { SEVERITIES, severityChip } from './severity';

/** Rows of a finding that are named one by one. */
const NAMED = 5;

interface Item {
  element: HTMLElement;
  draw(finding: Finding): void;
}

export function findingsPanel(inspector: Inspector): Panel {
  const items = new Map<string, Item>();
  let generation: number | undefined;

  const line = jobLine({
    start: 'Look at the whole set',
    idle: 'The set was not looked at yet.',
    tell: action => inspector.tell({ type: 'scan', action }),
  });
  const heading = element('p', { class: 'ft-findings-heading' });
  const list = element('ul', { class: 'ft-findings-list', 'aria-label': 'findings, worst first' });
  const clean = element('p', { class: 'ft-findings-clean', hidden: true }, icon(CHECK), element('span'));
  const cleanWords = clean.lastElementChild as HTMLElement;

  const draw = (findings: Finding[], scan: Job): void => {
    setText(heading, inWords(findings));
    heading.hidden = findings.length === 0;
    clean.hidden = findings.length > 0 || scan.done === 0;
    clean.dataset.state = scan.state;
    setText(
      cleanWords,
      scan.state === 'done'
        ? `Nothing is wrong with the ${many(scan.total, 'row')} of this set.`
        : `Nothing is wrong with the ${many(scan.done, 'row')} looked at so far.`,
    );
    const gone = new Set(items.keys());
    findings.forEach((finding, at) => {
      gone.delete(finding.name);
      let item = items.get(finding.name);
      if (!item) {
        item = newItem(inspector);
        items.set(finding.name, item);
      }
      item.draw(finding);
      if (list.children[at] !== item.element) {
        move(list, item.element, at);
      }
    });
    for (const name of gone) {
      items.get(name)?.element.remove();
      items.delete(name);
    }
  };
  return {
    element: element('div', { class: 'ft-panel ft-findings' }, line.element, heading, clean, list),
    showState: state => {
      if (generation !== undefined && generation !== state.generation) {
        draw([], { state: 'idle', done: 0, total: 0, seconds: 0, message: '' });
      }
      generation = state.generation;
    },
    showProgress: ({ jobs, findings }) => {
      line.show(jobs.scan);
      draw(findings, jobs.scan);
    },
  };
}

/** Put an item at its place; a moved element loses the focus, so it is given back. */
function move(list: HTMLElement, item: HTMLElement, at: number): void {
  const held = document.activeElement;
  list.insertBefore(item, list.children[at] ?? null);
  if (held instanceof HTMLElement && item.contains(held)) {
    held.focus({ preventScroll: true });
  }
}

/** `4 findings: 1 broken, 3 suspicious`. */
function inWords(findings: Finding[]): string {
  const counts = SEVERITIES.map(severity => ({
    severity,
    count: findings.filter(finding => finding.severity === severity).length,
  })).filter(({ count }) => count > 0);
  return `${many(findings.length, 'finding')}: ${counts
    .map(({ severity, count }) => `${whole(count)} ${severity}`)
    .join(', ')}`;
}

function newItem(inspector: Inspector): Item {
  let shown = '';
  const made = element('li', { class: 'ft-finding' });
  return {
    element: made,
    draw: finding => {
      // Numbers change four times a second while the set is looked at; what has not changed is left in peace.
      const now = JSON.stringify(finding);
      if (now === shown) {
        return;
      }
      const at = focused(made);
      shown = now;
      made.dataset.severity = finding.severity;
      made.replaceChildren(
        element(
          'div',
          { class: 'ft-finding-head' },
          severityChip(finding.severity),
          element('span', { class: 'ft-finding-title' }, finding.title),
          element(
            'span',
            { class: 'ft-finding-count' },
            finding.count ? `${many(finding.count, 'row')} · ${percent(finding.share, 1)}` : '',
          ),
        ),
        element('p', { class: 'ft-finding-reason' }, ...withCode(finding.reason)),
        ...(finding.fix ? [adviceElement(finding.fix, inspector.announcer)] : []),
        actions(inspector, finding),
      );
      if (at >= 0) {
        made.querySelectorAll('button')[at]?.focus({ preventScroll: true });
      }
    },
  };
}

/** Which of the buttons in `item` has the focus, or -1. */
function focused(item: HTMLElement): number {
  return [...item.querySelectorAll('button')].indexOf(document.activeElement as HTMLButtonElement);
}

function actions(inspector: Inspector, { flag, places, title, count }: Finding): HTMLElement {
  const made = element('div', { class: 'ft-finding-actions' });
  if (flag !== null) {
    made.append(
      button('Show rows', `Show the rows of “${title}” in the list`, () => {
        inspector.filter(flag);
        inspector.announcer.say(`The list shows ${many(count, 'row')}: ${title}`);
      }),
    );
  }
  const named = places.slice(0, NAMED).map(place => {
    const link = element(
      'button',
      { type: 'button', class: 'ft-link', title: `Open row ${whole(place + 1)} of the set` },
      whole(place + 1),
    );
    link.addEventListener('click', () => inspector.open(place));
    return link;
  });
  if (named.length) {
    made.append(
      element('span', { class: 'ft-finding-places' }, 'rows', ...named, count > named.length ? '…' : ''),
    );
  }
  return made;
}
