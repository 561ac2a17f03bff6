/** The sample with other settings: each key that can be tried out, what it was, and the YAML that keeps it. */

import { button, element, setText } from '../shared/dom';
import { sentences } from './connection';
import { copyButton } from './copying';
import { many } from './figures';
import { knobControl, type KnobControl } from './knob';
import type { Inspector, Panel } from './panel';
import type { Knob, State } from './protocol';

/** Milliseconds of rest after a change before it is tried. */
export const REST = 250;

export function whatIfPanel(inspector: Inspector): Panel {
  const controls = new Map<string, KnobControl>();
  /** What the reader wants that the kernel has not yet confirmed, by key. */
  let wanted = new Map<string, unknown>();
  let knobs: Knob[] = [];
  let yaml = '';
  let shape = '';
  let tries = 0;
  let rest: ReturnType<typeof setTimeout> | undefined;

  const form = element('div', { class: 'ft-knobs' });
  const status = element('span', { class: 'ft-panel-status', role: 'status' });
  const resetAll = button('Reset all', 'Go back to what the config says', () => {
    knobs.forEach(({ key, original }) => want(key, original, 0));
  });
  const lines = element('pre', { class: 'ft-text' });
  const keep = element(
    'div',
    { class: 'ft-yaml', hidden: true },
    lines,
    copyButton(
      'Copy as YAML',
      'Copy the lines that give the cell these values',
      inspector.announcer,
      () => yaml,
    ),
  );
  const none = element('p', { class: 'ft-note', hidden: true }, 'These rows have no settings to try out.');
  const panel = element(
    'div',
    { class: 'ft-panel ft-what-if', 'data-lm-suppress-shortcuts': 'true' },
    none,
    form,
    element('div', { class: 'ft-panel-line' }, status, resetAll),
    keep,
  );

  /** All that differs from the config, as the reader has it now. */
  const changes = (): Record<string, unknown> =>
    Object.fromEntries(
      knobs
        .map(
          ({ key, value, original }) => [key, wanted.has(key) ? wanted.get(key) : value, original] as const,
        )
        .filter(([, value, original]) => JSON.stringify(value) !== JSON.stringify(original))
        .map(([key, value]) => [key, value]),
    );
  const attempt = (after: number): void => {
    clearTimeout(rest);
    rest = setTimeout(() => {
      tries += 1;
      const number = tries;
      const trying = new Map(wanted);
      panel.setAttribute('aria-busy', 'true');
      inspector
        .ask('what_if', { changes: changes() })
        .then(({ message }) => {
          if (number === tries) {
            // What was changed meanwhile is still to be tried.
            wanted = new Map([...wanted].filter(([key, value]) => trying.get(key) !== value));
            controls.forEach(control => control.complain(''));
            showState(message);
            inspector.announcer.say(changedWords(knobs));
          }
        })
        .catch((refusal: unknown) => {
          if (number === tries) {
            complain(sentences(refusal), [...trying.keys()]);
          }
        })
        .finally(() => number === tries && panel.removeAttribute('aria-busy'));
    }, after);
  };
  /** Beside the control of the key that the sentence names, else of the one changed last. */
  const complain = (sentence: string, tried: string[]): void => {
    const named = tried.findLast(key => sentence.includes(key.split('.').at(-1) ?? key)) ?? tried.at(-1);
    controls.forEach((control, key) => control.complain(key === named ? sentence : ''));
    setText(status, named === undefined ? sentence : 'Not applied: the sample is as before.');
  };
  /** Show a value and try it, whether or not the kernel will have it. */
  const want = (key: string, value: unknown, after: number): void => {
    wanted.delete(key); // so that the latest is last
    wanted.set(key, value);
    knobs.filter(knob => knob.key === key).forEach(knob => controls.get(key)?.show({ ...knob, value }));
    resetAll.hidden = false;
    attempt(after);
  };
  const changed = (key: string): void => {
    const value = controls.get(key)?.read();
    if (value === undefined) {
      clearTimeout(rest);
      controls.get(key)?.complain('This must be a whole number, 1 or more.');
      return;
    }
    want(key, value, REST);
  };
  const make = (knob: Knob): HTMLElement => {
    const control = knobControl(
      knob,
      () => changed(knob.key),
      () => want(knob.key, knob.original, 0),
    );
    controls.set(knob.key, control);
    return control.element;
  };
  const showState = (state: State): void => {
    knobs = state.knobs;
    yaml = state.yaml;
    const newShape = JSON.stringify(knobs.map(({ key, kind, choices }) => [key, kind, choices]));
    if (newShape !== shape) {
      shape = newShape;
      controls.clear();
      form.replaceChildren(...knobs.map(make));
    }
    knobs.forEach(knob => {
      const value = wanted.has(knob.key) ? wanted.get(knob.key) : knob.value;
      controls.get(knob.key)?.show({ ...knob, value });
    });
    none.hidden = knobs.length > 0 || state.status === 'opening';
    keep.hidden = yaml === '';
    setText(lines, yaml);
    setText(status, changedWords(knobs));
    resetAll.hidden = wanted.size === 0 && !knobs.some(isChanged);
  };
  return {
    element: panel,
    showState,
    showProgress: () => undefined,
    destroy: () => clearTimeout(rest),
  };
}

function isChanged({ value, original }: Knob): boolean {
  return JSON.stringify(value) !== JSON.stringify(original);
}

function changedWords(knobs: Knob[]): string {
  const count = knobs.filter(isChanged).length;
  return count === 0 ? 'As the config says.' : `${many(count, 'setting')} changed, here alone.`;
}
