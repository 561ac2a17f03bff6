/** What to do about something: sentences, and lines of YAML to copy. */

import type { Announcer } from '../shared/announcer';
import { element } from '../shared/dom';
import { copyButton } from './copying';

/** A part of an advice. */
interface Part {
  kind: 'sentence' | 'yaml';
  text: string;
}

/** `key: value`, `- key: value`, `key:`, as a whole line. */
const YAML_LINE = /^\s*(- )?[A-Za-z_][\w.]*:(\s+\S.*|\s*)$/;
const LIST_LINE = /^\s*- \S/;
/** What backquotes hold. */
const QUOTED = /`([^`]+)`/g;

/** The parts of an advice: lines of YAML together, all else by line. */
export function parts(advice: string): Part[] {
  const made: Part[] = [];
  for (const line of advice.split('\n')) {
    const last = made.at(-1);
    const isYaml = isYamlLine(line) || (last?.kind === 'yaml' && LIST_LINE.test(line));
    if (isYaml && last?.kind === 'yaml') {
      last.text += `\n${line}`;
    } else if (line.trim()) {
      made.push({ kind: isYaml ? 'yaml' : 'sentence', text: line });
    }
  }
  return made;
}

/** A value of several words is a sentence that happens to have a colon. */
function isYamlLine(line: string): boolean {
  const value = line.slice(line.indexOf(':') + 1).trim();
  return YAML_LINE.test(line) && (/^["'[{]/.test(value) || !/\s/.test(value.replace(/\s#.*$/, '')));
}

/** An element that shows an advice; YAML in it, lines or `key: value` in backquotes, can be copied. */
export function adviceElement(advice: string, announcer: Announcer): HTMLElement {
  const copyable = (yaml: string): HTMLElement =>
    copyButton('Copy', 'Copy these lines for the cell', announcer, () => yaml);
  return element(
    'div',
    { class: 'ft-advice' },
    ...parts(advice).flatMap(({ kind, text }) => {
      if (kind === 'yaml') {
        return [
          element('div', { class: 'ft-yaml' }, element('pre', { class: 'ft-text' }, text), copyable(text)),
        ];
      }
      const quoted = [...text.matchAll(QUOTED)].map(found => found[1] ?? '').filter(isYamlLine);
      return [element('p', {}, ...withCode(text), ...quoted.map(copyable))];
    }),
  );
}

/** A sentence whose backquoted words are code. */
export function withCode(sentence: string): (Node | string)[] {
  return sentence
    .split(QUOTED)
    .map((part, at) => (at % 2 ? element('code', { class: 'ft-code' }, part) : part))
    .filter(part => part !== '');
}
