/** The conversation on the page: a log in which only what changed is touched. */

import { element, keepingEnd, setText } from '../shared/dom';
import type { Exchange, Shown } from './conversation';
import type { Which } from './protocol';

export const NAMES: Record<Which, string> = { tuned: 'Tuned', base: 'Base' };

interface Drawn {
  element: HTMLElement;
  draw(exchange: Exchange): void;
}

export interface Transcript {
  element: HTMLElement;
  draw(exchanges: Exchange[], writing: boolean, over: boolean): void;
}

export function transcript(): Transcript {
  const empty = element('p', { class: 'ft-chat-empty' }, 'Ask something.');
  const log = element(
    'div',
    { class: 'ft-chat-log', role: 'log', 'aria-label': 'conversation', tabindex: 0 },
    empty,
  );
  const drawn: Drawn[] = [];
  return {
    element: log,
    draw: (exchanges, writing, over) =>
      keepingEnd(log, () => {
        empty.hidden = over || exchanges.length > 0;
        // Read when it is whole, not word by word.
        log.setAttribute('aria-busy', String(writing));
        for (const extra of drawn.splice(exchanges.length)) {
          extra.element.remove();
        }
        exchanges.forEach((exchange, i) => {
          const place = (drawn[i] ??= newExchange(log));
          place.draw(exchange);
        });
      }),
  };
}

function newExchange(log: HTMLElement): Drawn {
  const question = element('div', { class: 'ft-chat-text' });
  const answers = element('div', { class: 'ft-chat-answers' });
  const whole = element(
    'div',
    { class: 'ft-chat-exchange' },
    element('div', { class: 'ft-chat-question' }, element('div', { class: 'ft-chat-who' }, 'You'), question),
    answers,
  );
  log.append(whole);
  const parts = new Map<Which, (shown: Shown) => void>();
  return {
    element: whole,
    draw: exchange => {
      setText(question, exchange.question);
      if ([...parts.keys()].some(which => !exchange.answers.has(which))) {
        parts.clear();
        answers.replaceChildren();
      }
      for (const [which, shown] of exchange.answers) {
        if (!parts.has(which)) {
          parts.set(which, newAnswer(answers, which));
        }
        parts.get(which)?.(shown);
      }
    },
  };
}

function newAnswer(answers: HTMLElement, which: Which): (shown: Shown) => void {
  const said = element('div', { class: 'ft-chat-text' });
  const note = element('div', { class: 'ft-chat-note' });
  const whole = element(
    'div',
    { class: 'ft-chat-answer', 'data-which': which },
    element('div', { class: 'ft-chat-who' }, NAMES[which]),
    said,
    note,
  );
  answers.append(whole);
  return ({ text, state, note: words }) => {
    whole.dataset.state = state;
    setText(said, text);
    setText(note, state === 'writing' && !text ? 'waiting…' : words);
  };
}
