import { describe, expect, it, vi } from 'vitest';

import type { Knob } from '../src/widgets/inspector/protocol';
import { REST, whatIfPanel } from '../src/widgets/inspector/what_if';
import { FakeInspector, show, texts } from './a_panel';
import { aState } from './a_set';
import { buttons, one, press, text } from './fake_model';

function aKnob(key: string, kind: Knob['kind'], value: unknown, change: Partial<Knob> = {}): Knob {
  const label = key.split('.').at(-1) ?? key;
  return { key, label, description: '', kind, choices: [], value, original: value, ...change };
}

const KNOBS: Knob[] = [
  aKnob('chat_template', 'choice', 'chatml', { choices: ['chatml', 'llama3', null] }),
  aKnob('train_on_inputs', 'boolean', false),
  aKnob('sequence_len', 'number', 2048),
  aKnob('datasets[0].roles_to_train', 'list', ['assistant'], { choices: ['assistant', 'user'] }),
];

/** The knobs with other values. */
function changed(values: Record<string, unknown>): Knob[] {
  return KNOBS.map(knob => (knob.key in values ? { ...knob, value: values[knob.key] } : knob));
}

function open(knobs = KNOBS) {
  const inspector = new FakeInspector();
  const panel = show(whatIfPanel(inspector));
  panel.showState(aState({ knobs }));
  return { inspector, panel, el: panel.element };
}

/** The control of the knob number `at`. */
function field<Kind extends HTMLElement>(el: HTMLElement, selector: string): Kind {
  return one(el, selector) as Kind;
}

function set(input: HTMLInputElement | HTMLSelectElement, value: string): void {
  input.value = value;
  input.dispatchEvent(new Event('input', { bubbles: true }));
}

describe('what if', () => {
  it('shows each key as the config has it', () => {
    const { el } = open();
    expect(texts(el, '.ft-knob-label')).toEqual([
      'chat_template',
      'train_on_inputs',
      'sequence_len',
      'roles_to_train datasets[0]',
    ]);
    const select = field<HTMLSelectElement>(el, 'select');
    expect(texts(select, 'option')).toEqual(['chatml', 'llama3', 'not set']);
    expect(select.selectedOptions[0]?.textContent).toBe('chatml');
    expect(field<HTMLInputElement>(el, 'input[type=number]').value).toBe('2048');
    expect(text(el, '.ft-knob-check')).toBe('false');
    expect([...el.querySelectorAll('input:checked')].map(box => (box as HTMLInputElement).value)).toEqual([
      'assistant',
    ]);
    expect(text(el, '[role=status]')).toBe('As the config says.');
    expect(buttons(el)).toEqual([]);
    // Each control has its name.
    for (const control of el.querySelectorAll<HTMLInputElement>('select, input[type=number]')) {
      expect(control.labels).toHaveLength(1);
    }
  });

  it.each([
    ['a choice', 'select', '1', { chat_template: 'llama3' }],
    ['no choice', 'select', '2', { chat_template: null }],
    ['a number', 'input[type=number]', '512', { sequence_len: 512 }],
  ])('tries %s after a rest', (_, selector, value, changes) => {
    const { inspector, el } = open();
    set(field(el, selector), value);
    vi.advanceTimersByTime(REST - 1);
    expect(inspector.asked).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(inspector.asked).toEqual([['what_if', { changes }]]);
  });

  it.each([
    ['a yes', '.ft-knob-check input', { train_on_inputs: true }],
    ['a list', '.ft-knob-list input[value=user]', { 'datasets[0].roles_to_train': ['assistant', 'user'] }],
    ['an empty list', '.ft-knob-list input[value=assistant]', { 'datasets[0].roles_to_train': [] }],
  ])('tries %s', (_, selector, changes) => {
    const { inspector, el } = open();
    field(el, selector).click();
    vi.advanceTimersByTime(REST);
    expect(inspector.asked).toEqual([['what_if', { changes }]]);
  });

  it('tries several changes in one, and keeps those made before', async () => {
    const { inspector, el } = open();
    set(field(el, 'select'), '1');
    field(el, '.ft-knob-check input').click();
    vi.advanceTimersByTime(REST);
    const first = { chat_template: 'llama3', train_on_inputs: true };
    expect(inspector.asked).toEqual([['what_if', { changes: first }]]);
    await inspector.last.reply(aState({ generation: 2, knobs: changed(first), yaml: 'a: b' }));
    set(field(el, 'input[type=number]'), '512');
    vi.advanceTimersByTime(REST);
    expect(inspector.last.request).toEqual({ changes: { ...first, sequence_len: 512 } });
  });

  it('marks what is changed, and gives its YAML', async () => {
    const { inspector, el } = open();
    const writeText = vi.fn(async (_text: string) => undefined);
    vi.stubGlobal('navigator', { clipboard: { writeText } });
    expect(one(el, '.ft-yaml').hidden).toBe(true);
    set(field(el, 'input[type=number]'), '512');
    expect(one(el, '[data-changed=true] .ft-knob-label').textContent).toBe('sequence_len');
    expect(text(el, '[data-changed=true] .ft-knob-was')).toBe('changed, was 2048');
    vi.advanceTimersByTime(REST);
    expect(el.getAttribute('aria-busy')).toBe('true');
    await inspector.last.reply(
      aState({ generation: 2, knobs: changed({ sequence_len: 512 }), yaml: 'sequence_len: 512' }),
    );
    expect(el.hasAttribute('aria-busy')).toBe(false);
    expect(text(el, '[role=status]')).toBe('1 setting changed, here alone.');
    expect(inspector.said).toEqual(['1 setting changed, here alone.']);
    expect(text(el, '.ft-yaml pre')).toBe('sequence_len: 512');
    press(el, 'Copy as YAML');
    await vi.advanceTimersByTimeAsync(0);
    expect(writeText).toHaveBeenCalledWith('sequence_len: 512');
  });

  it('goes back, one key or all', async () => {
    const values = { chat_template: 'llama3', sequence_len: 512 };
    const { inspector, el } = open(changed(values));
    one(el, '[aria-label="Reset sequence_len"]').click();
    vi.advanceTimersByTime(0);
    expect(inspector.last.request).toEqual({ changes: { chat_template: 'llama3' } });
    expect(field<HTMLInputElement>(el, 'input[type=number]').value).toBe('2048');
    await inspector.last.reply(aState({ knobs: changed({ chat_template: 'llama3' }) }));
    press(el, 'Reset all');
    vi.advanceTimersByTime(0);
    expect(inspector.last.request).toEqual({ changes: {} });
    await inspector.last.reply(aState({ knobs: KNOBS }));
    expect(field<HTMLSelectElement>(el, 'select').selectedOptions[0]?.textContent).toBe('chatml');
    expect(buttons(el)).toEqual([]);
  });

  it('says beside its control what is wrong with a value', async () => {
    const { inspector, el } = open();
    set(field(el, 'input[type=number]'), '99999');
    field(el, '.ft-knob-check input').click();
    vi.advanceTimersByTime(REST);
    await inspector.last.refuse({ message: 'sequence_len is too much.', fix: 'Make it less.' });
    const number = field<HTMLInputElement>(el, 'input[type=number]');
    expect(number.getAttribute('aria-invalid')).toBe('true');
    expect(document.getElementById(number.getAttribute('aria-describedby') ?? '')?.textContent).toBe(
      'sequence_len is too much. Make it less.',
    );
    expect(texts(el, '.ft-knob-error').filter(Boolean)).toHaveLength(1);
    expect(text(el, '[role=status]')).toBe('Not applied: the sample is as before.');
    expect(number.value).toBe('99999');
    set(number, '512');
    vi.advanceTimersByTime(REST);
    await inspector.last.reply(aState({ knobs: changed({ sequence_len: 512, train_on_inputs: true }) }));
    expect(texts(el, '.ft-knob-error').filter(Boolean)).toEqual([]);
    expect(number.hasAttribute('aria-invalid')).toBe(false);
  });

  it('puts a sentence that names no key beside what was changed last', async () => {
    const { inspector, el } = open();
    set(field(el, 'select'), '2');
    set(field(el, 'input[type=number]'), '99999');
    set(field(el, 'select'), '1');
    vi.advanceTimersByTime(REST);
    await inspector.last.refuse({ message: 'No.', fix: '' });
    expect(texts(el, '.ft-knob-error')).toEqual(['No.', '', '', '']);
  });

  it.each(['', '0', '1.5', '-3'])('does not try %j as a number', value => {
    const { inspector, el } = open();
    set(field(el, 'input[type=number]'), value);
    vi.advanceTimersByTime(REST);
    expect(inspector.asked).toEqual([]);
    expect(texts(el, '.ft-knob-error').filter(Boolean)).toEqual(['This must be a whole number, 1 or more.']);
  });

  it('leaves what the reader writes in peace while older answers and states come', async () => {
    const { inspector, el, panel } = open();
    const number = field<HTMLInputElement>(el, 'input[type=number]');
    set(number, '512');
    vi.advanceTimersByTime(REST);
    const first = inspector.last;
    set(number, '5120');
    panel.showState(aState({ generation: 2, knobs: changed({ sequence_len: 512 }) }));
    expect(number.value).toBe('5120');
    await first.reply(aState({ generation: 2, knobs: changed({ sequence_len: 512 }) }));
    expect(number.value).toBe('5120');
    vi.advanceTimersByTime(REST);
    expect(inspector.last.request).toEqual({ changes: { sequence_len: 5120 } });
    await inspector.last.reply(aState({ generation: 3, knobs: changed({ sequence_len: 5120 }) }));
    expect(number.value).toBe('5120');
    expect(document.body.contains(number)).toBe(true);
  });

  it('may leave a number out that the config leaves out', async () => {
    const { inspector, el } = open([aKnob('min_sample_len', 'number', 8, { original: null })]);
    expect(text(el, '.ft-knob-was')).toBe('changed, was not set');
    set(field(el, 'input[type=number]'), '');
    vi.advanceTimersByTime(REST);
    expect(inspector.asked).toEqual([['what_if', { changes: {} }]]);
    expect(one(el, '.ft-knob').dataset.changed).toBe('false');
  });

  it('shows a value that is among no choices', () => {
    const { el } = open([aKnob('chat_template', 'choice', 'own', { choices: ['chatml'] })]);
    expect(texts(el, 'option')).toEqual(['chatml', 'own']);
    expect(field<HTMLSelectElement>(el, 'select').selectedOptions[0]?.textContent).toBe('own');
  });

  it('says that there is nothing to try', () => {
    const { el } = open([]);
    expect(one(el, '.ft-note').hidden).toBe(false);
  });
});
