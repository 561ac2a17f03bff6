import { ensureSyntaxTree, indentUnit, language } from '@codemirror/language';
import { EditorState } from '@codemirror/state';
import { describe, expect, it } from 'vitest';

import { finetuneCell } from '../src/lab/finetune_cell';

function cell(doc: string): EditorState {
  return EditorState.create({ doc, extensions: finetuneCell(doc) });
}

/** The coloured parts of a cell, each with the name of its style. */
function coloured(state: EditorState): [string, string][] {
  const parts: [string, string][] = [];
  ensureSyntaxTree(state, state.doc.length)?.iterate({
    enter: ({ name, from, to, node }) => {
      if (!node.firstChild && name !== 'Document') {
        parts.push([state.sliceDoc(from, to).trim(), name]);
      }
    },
  });
  return parts;
}

describe('a %%finetune cell', () => {
  it('is YAML under a line of magic', () => {
    const state = cell(
      '%%finetune joker --set seed=1 --base "a b.yml"\n# why\nlora_r: 16\ndatasets:\n  - path: "x"\n',
    );
    expect(coloured(state)).toEqual([
      ['%%finetune', 'keyword'],
      ['--set', 'attributeName'],
      ['--base', 'attributeName'],
      ['"a b.yml"', 'string'],
      ['# why', 'comment'],
      ['lora_r', 'atom'],
      [':', 'meta'],
      ['16', 'number'],
      ['datasets', 'atom'],
      [':', 'meta'],
      ['-', 'meta'],
      ['path', 'atom'],
      [':', 'meta'],
      ['"x"', 'string'],
    ]);
    expect(state.facet(indentUnit)).toBe('  ');
  });

  it.each([
    ['%%finetune', true],
    ['  %%finetune joker\nlora_r: 1', true],
    ['%%finetuned', false],
    ['%finetune', false],
    ['x = 1\n%%finetune', false],
    ['', false],
  ])('%j: %j', (doc, is) => {
    expect(cell(doc).facet(language) !== null).toBe(is);
  });
});

describe('a cell', () => {
  it('becomes and ceases to be one as its first line is typed', () => {
    let state = cell('%%finetun\nlora_r: 1');
    expect(state.facet(language)).toBeNull();
    state = state.update({ changes: { from: 9, insert: 'e' } }).state;
    expect(state.facet(language)?.name).toBe('finetune');
    state = state.update({ changes: { from: 11, insert: 'x' } }).state;
    expect(state.facet(language)?.name).toBe('finetune');
    state = state.update({ changes: { from: 0, to: 1 } }).state;
    expect(state.facet(language)).toBeNull();
  });
});
