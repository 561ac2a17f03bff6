/** All there is to know of one token. */

import { element, setText } from '../shared/dom';
import { lossWords } from './losses';
import { IGNORE } from './sample_tokens';
import type { SampleTokens } from './sample_tokens';
import { shortened, visible } from './signs';
import { spaced } from './token_lines';

/** Characters of a token's text, and bytes, that fit in the strip. */
const LONGEST = 160;

export interface TokenDetail {
  element: HTMLElement;
  /** The id of the sentence that says why a token has its label. */
  rule: string;
  /** Show a token, with its loss where a model is named; null shows how to see one. */
  show(tokens: SampleTokens | null, token: number | null, loss: number, model: string): void;
}

/** `pressRule` is called with a token whose span is asked for. */
export function tokenDetail(pressRule: (token: number) => void): TokenDetail {
  let shown = 0;
  const ruleId = `ft-rule-${Math.random().toString(36).slice(2)}`;
  const hint = element(
    'p',
    { class: 'ft-detail-hint' },
    'Point at a token, or move to it with the arrow keys.',
  );
  const list = element('dl', { class: 'ft-detail-facts' });
  const fact = (name: string, kind = ''): ((value: string) => void) => {
    const value = element('dd', { class: kind });
    const whole = element('div', { class: 'ft-fact' }, element('dt', {}, name), value);
    list.append(whole);
    return text => {
      setText(value, text);
      value.title = text;
      whole.hidden = text === '';
    };
  };
  const token = fact('token');
  const id = fact('id');
  const text = fact('text', 'ft-fact-code');
  const bytes = fact('bytes', 'ft-fact-code');
  const label = fact('label');
  const role = fact('role');
  const turn = fact('turn');
  const position = fact('position id');
  const document = fact('document id');
  const loss = fact('loss');
  const rule = element('button', {
    type: 'button',
    class: 'ft-rule',
    id: ruleId,
    title: 'Mark all tokens that this rule decided',
  });
  rule.addEventListener('click', () => pressRule(shown));
  const facts = element('div', { class: 'ft-detail-whole', hidden: true }, list, rule);
  return {
    rule: ruleId,
    element: element('div', { class: 'ft-detail', 'aria-label': 'token', role: 'group' }, hint, facts),
    show: (tokens, at, value, model) => {
      const nothing = !tokens || at === null || at >= tokens.length;
      hint.hidden = !nothing;
      facts.hidden = nothing;
      if (nothing) {
        return;
      }
      shown = at;
      const piece = tokens.piece(at);
      const span = tokens.span(at);
      const given = tokens.labels[at] ?? IGNORE;
      token((at + 1).toLocaleString('en'));
      id(String(tokens.inputIds[at]));
      text(`${shortened(visible(piece.text), LONGEST)}${piece.partial ? ' (part of a character)' : ''}`);
      bytes(shortened(spaced(piece.bytes), LONGEST));
      label(given === IGNORE ? `${IGNORE}, not trained` : `${given}, trained`);
      role(span?.role ?? '');
      turn(span?.turn === null || span === undefined ? '' : String(span.turn + 1));
      position(String(tokens.positionIds[at]));
      document(String(tokens.documentIds[at]));
      loss(model === '' ? '' : lossWords(value, model));
      setText(rule, span?.rule ?? '');
      rule.hidden = !span;
      rule.dataset.kind = given === IGNORE ? 'masked' : 'trained';
    },
  };
}
