/** What to do about something: sentences, and lines of YAML to copy. */

import type { Announcer } from '../shared/announcer';
import { element } from '../shared/dom';
import { copyButton } from './copying';

/** A part of an advice. */
interface Part {
  kind: 'sentence' | 'yaml';
  text: string;
}

/** `key: value`, `- key: value`, `key:`, as a whole line; a capital begins a sentence. */
const YAML_LINE = /^\s*(- )?[a-z_][\w.]*:(\s+\S.*|\s*)$/;
const LIST_LINE = /^\s*- \S/;
/**
 * In a sentence: what backquotes hold, or a setting. A setting's key has an underscore, or its value is a number, a list
 * or a map; all else with a colon is prose.
 */
const CODE =
  /`([^`]+)`|(\b[a-z]+(?:_[a-z]+)+: (?:\{[^}]*\}|\[[^\]]*\]|[\w-]+(?:\.[\w-]+)*)|\b[a-z]+: (?:\{[^}]*\}|\[[^\]]*\]|\d+(?:\.\d+)?\b))/g;

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

/** An element that shows an advice; settings in it, as lines or in a sentence, can be copied. */
export function adviceElement(advice: string, announcer: Announcer): HTMLElement {
  const copyable = (yaml: string): HTMLElement =>
    copyButton('Copy', 'Copy this for the cell', announcer, () => yaml);
  return element(
    'div',
    { class: 'ft-advice' },
    ...parts(advice).map(({ kind, text }) => {
      if (kind === 'yaml') {
        return element(
          'div',
          { class: 'ft-yaml' },
          element('pre', { class: 'ft-text' }, text),
          copyable(text),
        );
      }
      const settings = codes(text).filter(isYamlLine);
      return element('p', {}, ...withCode(text), ...(settings.length ? [copyable(settings.join('\n'))] : []));
    }),
  );
}

/** What is code in a sentence. */
function codes(sentence: string): string[] {
  return [...sentence.matchAll(CODE)].map(([, quoted, setting]) => quoted ?? setting ?? '');
}

/** A sentence whose code looks like code. */
export function withCode(sentence: string): (Node | string)[] {
  const made: (Node | string)[] = [];
  let end = 0;
  for (const found of sentence.matchAll(CODE)) {
    made.push(
      sentence.slice(end, found.index),
      element('code', { class: 'ft-code' }, found[1] ?? found[2] ?? ''),
    );
    end = found.index + found[0].length;
  }
  return [...made, sentence.slice(end)].filter(part => part !== '');
}
