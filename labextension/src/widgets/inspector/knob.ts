/** A control for one key of the config. */

import { element, setText } from '../shared/dom';
import type { Knob } from './protocol';

export interface KnobControl {
  element: HTMLElement;
  /** The value as it stands; undefined where what is written is no value. */
  read(): unknown;
  /** Show another state of the same key; what the reader is writing stays. */
  show(knob: Knob): void;
  /** Say what is wrong with the value; an empty text says that nothing is. */
  complain(sentence: string): void;
}

/** What reads and writes a value. */
interface Input {
  element: HTMLElement;
  /** Where the focus goes and what an error belongs to. */
  field: HTMLElement;
  read(): unknown;
  write(value: unknown): void;
}

/**
 * @param changed - Called when the reader changes the value.
 * @param reset - Called when the reader wants the config's value back.
 */
export function knobControl(knob: Knob, changed: () => void, reset: () => void): KnobControl {
  const id = `ft-knob-${Math.random().toString(36).slice(2)}`;
  const input = newInput(knob, id);
  const error = element('p', { class: 'ft-knob-error', id: `${id}-error`, role: 'alert' });
  const was = element('span', { class: 'ft-knob-was' });
  const back = element(
    'button',
    { type: 'button', class: 'ft-link', 'aria-label': `Reset ${knob.label}` },
    'reset',
  );
  back.addEventListener('click', reset);
  const changedMark = element('p', { class: 'ft-knob-changed', hidden: true }, was, back);
  const row = element(
    'div',
    { class: 'ft-knob', title: knob.description },
    element(
      knob.kind === 'list' ? 'span' : 'label',
      { class: 'ft-knob-label', id: `${id}-label`, ...(knob.kind === 'list' ? {} : { for: id }) },
      knob.label,
      // Datasets have keys of the same name.
      ...(knob.key === knob.label
        ? []
        : [element('small', {}, ` ${knob.key.slice(0, -knob.label.length - 1)}`)]),
    ),
    input.element,
    changedMark,
    error,
  );
  row.addEventListener('input', changed);
  return {
    element: row,
    read: input.read,
    show: ({ value, original }) => {
      const isChanged = JSON.stringify(value) !== JSON.stringify(original);
      row.dataset.changed = String(isChanged);
      changedMark.hidden = !isChanged;
      setText(was, `changed, was ${written(original)}`);
      const writing = row.contains(document.activeElement) && input.read() === undefined;
      if (!writing && JSON.stringify(input.read()) !== JSON.stringify(value)) {
        input.write(value);
      }
    },
    complain: sentence => {
      setText(error, sentence);
      error.hidden = sentence === '';
      if (sentence) {
        input.field.setAttribute('aria-invalid', 'true');
        input.field.setAttribute('aria-describedby', error.id);
      } else {
        input.field.removeAttribute('aria-invalid');
        input.field.removeAttribute('aria-describedby');
      }
    },
  };
}

/** A value as a config has it. */
function written(value: unknown): string {
  if (value === null || value === undefined) {
    return 'not set';
  }
  return Array.isArray(value) ? `[${value.join(', ')}]` : String(value);
}

function newInput(knob: Knob, id: string): Input {
  switch (knob.kind) {
    case 'choice':
      return choice(knob, id);
    case 'boolean':
      return check(id);
    case 'number':
      return number(knob, id);
    case 'list':
      return list(knob, id);
  }
}

function choice({ choices, value, original }: Knob, id: string): Input {
  const values = [...new Set([...choices, value as string | null, original as string | null])];
  const select = element(
    'select',
    { id },
    ...values.map((value, at) => element('option', { value: at }, written(value))),
  );
  return {
    element: select,
    field: select,
    read: () => values[Number(select.value)] ?? null,
    write: value => {
      select.value = String(values.indexOf(value as string | null));
    },
  };
}

function check(id: string): Input {
  const box = element('input', { type: 'checkbox', id });
  const word = element('span', { 'aria-hidden': 'true' });
  const say = (): void => setText(word, String(box.checked));
  box.addEventListener('input', say);
  say();
  return {
    element: element('span', { class: 'ft-knob-check' }, box, word),
    field: box,
    read: () => box.checked,
    write: value => {
      box.checked = value === true;
      say();
    },
  };
}

function number({ original }: Knob, id: string): Input {
  const field = element('input', { type: 'number', id, step: 1, min: 1, inputmode: 'numeric' });
  return {
    element: field,
    field,
    read: () => {
      if (field.value === '' && !field.validity.badInput && original === null) {
        return null;
      }
      return field.value !== '' && field.checkValidity() ? field.valueAsNumber : undefined;
    },
    write: value => {
      field.value = typeof value === 'number' ? String(value) : '';
    },
  };
}

function list({ choices, value }: Knob, id: string): Input {
  const held = Array.isArray(value) ? (value as string[]) : [];
  const names = [...new Set([...choices.filter(name => name !== null), ...held])];
  const boxes = names.map(name => element('input', { type: 'checkbox', value: name }));
  const group = element(
    'span',
    { class: 'ft-knob-list', role: 'group', id, 'aria-labelledby': `${id}-label` },
    ...boxes.map(box => element('label', {}, box, box.value)),
  );
  return {
    element: group,
    field: group,
    read: () => boxes.filter(({ checked }) => checked).map(box => box.value),
    write: value => {
      const chosen = Array.isArray(value) ? value : [];
      boxes.forEach(box => {
        box.checked = chosen.includes(box.value);
      });
    },
  };
}
