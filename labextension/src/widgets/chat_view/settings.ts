/** How the models are asked to answer. */

import { element } from '../shared/dom';
import type { Settings } from './protocol';

export interface SettingsForm {
  element: HTMLDetailsElement;
  /** The settings as they stand, or null where one is out of its range; the reader is then shown which. */
  read(): Settings | null;
  /** The system's message, empty for none. */
  system(): string;
}

export function settings(): SettingsForm {
  const system = element('textarea', { rows: 2, placeholder: 'none', spellcheck: 'false' });
  const number = (attributes: Record<string, string | number>): HTMLInputElement =>
    element('input', { type: 'number', ...attributes });
  const temperature = number({ min: 0, max: 5, step: 0.05, value: 0.7, required: '' });
  const topP = number({ min: 0.01, max: 1, step: 0.01, value: 0.95, required: '' });
  const length = number({ min: 1, max: 32768, step: 1, value: 256, required: '' });
  const seed = number({ min: 0, max: 2 ** 31 - 1, step: 1, placeholder: 'random' });
  const field = (label: string, control: HTMLElement, title: string): HTMLElement =>
    element('label', { title }, element('span', {}, label), control);
  const details = element(
    'details',
    { class: 'ft-settings' },
    element('summary', {}, 'Settings'),
    element(
      'div',
      { class: 'ft-settings-form' },
      field('system prompt', system, 'What the model is told before the conversation'),
      field('temperature', temperature, '0: always the likeliest token'),
      field('top_p', topP, 'Choose among the likeliest tokens that together have this probability'),
      field('max_new_tokens', length, 'Where an answer is cut off'),
      field('seed', seed, 'The same seed gives the same answer'),
    ),
  );
  return {
    element: details,
    read: () => {
      const wrong = [temperature, topP, length, seed].find(input => !input.checkValidity());
      if (wrong) {
        details.open = true;
        wrong.reportValidity();
        return null;
      }
      return {
        temperature: temperature.valueAsNumber,
        top_p: topP.valueAsNumber,
        max_new_tokens: length.valueAsNumber,
        seed: seed.value === '' ? null : seed.valueAsNumber,
      };
    },
    system: () => system.value.trim(),
  };
}
