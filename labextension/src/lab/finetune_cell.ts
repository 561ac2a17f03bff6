/**
 * An editor extension that lets a cell be YAML for as long as its first line is `%%finetune`.
 *
 * The YAML language is put on top of the cell's own (the `language` facet takes the value of highest precedence), so a
 * notebook of any kernel gets its colours back when the magic is deleted.
 */

import { LanguageSupport, StreamLanguage, indentUnit } from '@codemirror/language';
import type { StreamParser } from '@codemirror/language';
import { yaml } from '@codemirror/legacy-modes/mode/yaml';
import { Compartment, EditorState, Prec } from '@codemirror/state';
import type { Extension } from '@codemirror/state';

const MAGIC = /^\s*%%finetune\b/;

interface State {
  onMagicLine: boolean;
  /** The YAML mode's own state: a flat object of flags and numbers. */
  yaml: object;
}

/** The magic and its options on the first line, YAML (the mode that JupyterLab uses for .yaml files) below. */
const parser: StreamParser<State> = {
  name: 'finetune',
  languageData: { commentTokens: { line: '#' } },
  startState: indent => ({ onMagicLine: true, yaml: yaml.startState?.(indent) as object }),
  copyState: state => ({ onMagicLine: state.onMagicLine, yaml: { ...state.yaml } }),
  blankLine: state => {
    state.onMagicLine = false;
  },
  token: (stream, state) => {
    if (state.onMagicLine && stream.sol() && !stream.match(MAGIC, false)) {
      state.onMagicLine = false;
    }
    if (!state.onMagicLine) {
      return yaml.token(stream, state.yaml);
    }
    if (stream.eatSpace()) {
      return null;
    }
    if (stream.match(MAGIC)) {
      return 'keyword';
    }
    if (stream.match(/^--?[\w-]+/)) {
      return 'attributeName';
    }
    if (stream.match(/^(["']).*?(\1|$)/)) {
      return 'string';
    }
    stream.eatWhile(/[^\s=]/);
    stream.eat('=');
    return null;
  },
};

const language: Extension = [new LanguageSupport(StreamLanguage.define(parser)), indentUnit.of('  ')];

/** Whether a cell with this first line is a fine-tuning cell. */
export function isFinetune(firstLine: string): boolean {
  return MAGIC.test(firstLine);
}

/**
 * The extension for one editor.
 *
 * @param source - The text that the editor opens with: no transaction tells about it.
 */
export function finetuneCell(source: string): Extension {
  const slot = new Compartment();
  const contents = (finetune: boolean): Extension => (finetune ? language : []);
  const follow = EditorState.transactionExtender.of(transaction => {
    if (!transaction.docChanged) {
      return null;
    }
    const finetune = isFinetune(transaction.newDoc.line(1).text);
    const isNow = slot.get(transaction.startState) === language;
    return finetune === isNow ? null : { effects: slot.reconfigure(contents(finetune)) };
  });
  const firstLine = source.slice(0, source.indexOf('\n') < 0 ? undefined : source.indexOf('\n'));
  return [Prec.highest(slot.of(contents(isFinetune(firstLine)))), follow];
}
