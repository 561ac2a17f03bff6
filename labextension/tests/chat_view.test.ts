import { beforeEach, describe, expect, it, vi } from 'vitest';

import view, { PATIENCE } from '../src/widgets/chat_view';
import type { Answer, Message, State, ToKernel, Which } from '../src/widgets/chat_view/protocol';
import { FakeModel, buttons, one, press, show, text } from './fake_model';

const SETTINGS = { temperature: 0.7, top_p: 0.95, max_new_tokens: 256, seed: null };
const user = (content: string) => ({ role: 'user' as const, content });
const said = (which: Which, content: string): Message => ({ role: 'assistant', content, which });

/** The page's clock, which numbers the questions. */
const NOW = 1000;
beforeEach(() => void vi.setSystemTime(NOW));
const answer = (words: string, more: Partial<Answer> = {}): Answer => ({
  text: words,
  tokens: 4,
  seconds: 2,
  stopped: 'eos',
  ...more,
});

function state(change: Partial<State> = {}): object {
  return {
    type: 'state',
    status: 'ready',
    message: '',
    fix: '',
    title: 'cynic (adapter on SmolLM2-135M-Instruct)',
    choices: ['tuned', 'base'],
    transcript: [],
    ...change,
  };
}

function open(change?: Partial<State>) {
  const model = new FakeModel<ToKernel>();
  const shown = show(view, model);
  if (change) {
    model.say(state(change));
    model.sent.length = 0;
  }
  return { model, ...shown };
}

/** The conversation as a reader sees it: each text with the name above it and the note below it. */
function read(el: HTMLElement): string[] {
  return [...el.querySelectorAll('.ft-chat-question, .ft-chat-answer')].map(part =>
    [...part.children]
      .map(child => child.textContent)
      .filter(Boolean)
      .join(': '),
  );
}

function type(el: HTMLElement, words: string, key = 'Enter', more: KeyboardEventInit = {}): void {
  const draft = one(el, '.ft-chat-draft') as HTMLTextAreaElement;
  draft.value = words;
  draft.dispatchEvent(new Event('input'));
  draft.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...more }));
}

function choose(el: HTMLElement, value: string): void {
  (one(el, `input[value=${value}]`) as HTMLInputElement).click();
}

describe('before the kernel answers', () => {
  it('says hello, and after 3 seconds what it waits for', () => {
    const { model, el } = open();
    expect(model.sent).toEqual([{ type: 'hello' }]);
    expect(text(el, '.ft-chip')).toBe('connecting…');
    vi.advanceTimersByTime(PATIENCE);
    expect(text(el, '.ft-chat-trouble')).toBe('waiting for the kernel');
    model.say(state({ status: 'loading' }));
    expect(text(el, '.ft-chat-trouble')).toBe('');
    expect(text(el, '.ft-chip')).toBe('loading model…');
    expect(text(el, '.ft-chat-title')).toBe('cynic (adapter on SmolLM2-135M-Instruct)');
  });
});

describe('a question', () => {
  it('is answered piece by piece', () => {
    const { model, el } = open({});
    type(el, '  Define "love". ');
    expect(model.sent).toEqual([
      { type: 'ask', id: NOW, which: ['tuned'], messages: [user('Define "love".')], settings: SETTINGS },
    ]);
    expect((one(el, '.ft-chat-draft') as HTMLTextAreaElement).value).toBe('');
    expect(read(el)).toEqual(['You: Define "love".', 'Tuned: waiting…']);
    model.say({ type: 'token', id: NOW, which: 'tuned', text: 'LOVE' });
    model.say({ type: 'token', id: NOW, which: 'tuned', text: ', n.' });
    expect(read(el)).toEqual(['You: Define "love".', 'Tuned: LOVE, n.']);
    expect(one(el, '[role=log]').getAttribute('aria-busy')).toBe('true');
    expect(buttons(el)).toEqual(['Close', 'Stop']);
    model.say({ type: 'answer', id: NOW, which: 'tuned', ...answer('LOVE, n. A fever.') });
    expect(read(el)[1]).toBe('Tuned: LOVE, n. A fever.: 4 tokens in 2.0 s');
    expect(one(el, '[role=log]').getAttribute('aria-busy')).toBe('false');
    expect(buttons(el)).toEqual(['Clear', 'Close', 'Regenerate']);
  });

  it('is sent with Enter only, and only with words in it', () => {
    const { model, el } = open({});
    type(el, 'line', 'Enter', { shiftKey: true });
    type(el, 'か', 'Enter', { isComposing: true });
    type(el, 'word', 'a');
    type(el, '   ');
    expect(model.sent).toEqual([]);
    type(el, 'word');
    expect(model.sent).toHaveLength(1);
  });

  it('waits until the model is there', () => {
    const { model, el } = open({ status: 'loading' });
    type(el, 'word');
    expect(model.sent).toEqual([]);
    model.say(state());
    expect(buttons(el)).toEqual(['Close', 'Send']);
    press(el, 'Send');
    expect(model.sent).toHaveLength(1);
  });

  it('goes to several models with all that was said', () => {
    const transcript = [user('a'), said('tuned', 'x'), said('base', 'y'), user('b'), said('tuned', 'z')];
    const { model, el } = open({ transcript });
    choose(el, 'both');
    type(el, 'c');
    expect(model.sent).toEqual([
      {
        type: 'ask',
        id: NOW,
        which: ['tuned', 'base'],
        messages: [...transcript, user('c')],
        settings: SETTINGS,
      },
    ]);
    expect(read(el)).toEqual([
      ...['You: a', 'Tuned: x', 'Base: y', 'You: b', 'Tuned: z'],
      ...['You: c', 'Tuned: waiting…', 'Base: waiting…'],
    ]);
  });

  it('has a number of its own, even in the same millisecond', () => {
    const { model, el } = open({});
    type(el, 'a');
    model.say({ type: 'answer', id: NOW, which: 'tuned', ...answer('x') });
    type(el, 'b');
    expect(model.sent).toMatchObject([{ id: NOW }, { id: NOW + 1 }]);
  });

  it('has the settings of the form, and the system prompt first', () => {
    const { model, el } = open({});
    const [temperature, topP, length, seed] = el.querySelectorAll<HTMLInputElement>('input[type=number]');
    temperature!.value = '0';
    topP!.value = '1';
    length!.value = '4';
    seed!.value = '17';
    (one(el, '.ft-settings textarea') as HTMLTextAreaElement).value = 'Be brief.';
    type(el, 'Why?');
    expect(model.sent).toEqual([
      {
        type: 'ask',
        id: NOW,
        which: ['tuned'],
        messages: [{ role: 'system', content: 'Be brief.' }, user('Why?')],
        settings: { temperature: 0, top_p: 1, max_new_tokens: 4, seed: 17 },
      },
    ]);
    model.say({ type: 'answer', id: NOW, which: 'tuned', ...answer('Because it', { stopped: 'length' }) });
    expect(read(el)[1]).toBe('Tuned: Because it: 4 tokens in 2.0 s, cut off at max_new_tokens');
  });

  it('is not asked with a setting out of its range', () => {
    const { model, el } = open({});
    el.querySelectorAll<HTMLInputElement>('input[type=number]')[1]!.value = '2';
    type(el, 'Why?');
    expect(model.sent).toEqual([]);
    expect((one(el, '.ft-settings') as HTMLDetailsElement).open).toBe(true);
    expect((one(el, '.ft-chat-draft') as HTMLTextAreaElement).value).toBe('Why?');
  });

  it('may fail without ending the chat', () => {
    const { model, el } = open({});
    type(el, 'Why?');
    model.say({ type: 'error', id: NOW, message: 'The prompt has 9,000 tokens.', fix: 'Clear the chat.' });
    expect(read(el)).toEqual(['You: Why?', 'Tuned: The prompt has 9,000 tokens. Clear the chat.']);
    expect(buttons(el)).toEqual(['Clear', 'Close', 'Regenerate']);
  });
});

describe('the transcript of the kernel', () => {
  const transcript = [user('a'), said('tuned', 'x')];

  it('takes the place of what the page had, and keeps what the page knows of it', () => {
    const { model, el } = open({});
    type(el, 'a');
    model.say(state({ status: 'busy', transcript: [user('a')] }));
    expect(read(el)).toEqual(['You: a', 'Tuned: waiting…']);
    model.say({ type: 'answer', id: NOW, which: 'tuned', ...answer('x') });
    model.say(state({ transcript }));
    expect(read(el)).toEqual(['You: a', 'Tuned: x: 4 tokens in 2.0 s']);
  });

  it('from before the question does not take it back', () => {
    const { model, el } = open({});
    type(el, 'a');
    model.say(state({ transcript: [] }));
    expect(read(el)).toEqual(['You: a', 'Tuned: waiting…']);
  });

  it('without an answer, of a kernel that writes none any more, ends the waiting', () => {
    const { model, el } = open({});
    type(el, 'a');
    model.say(state({ transcript: [user('a')] }));
    expect(read(el)).toEqual(['You: a', 'Tuned: stopped before the first word']);
    expect(buttons(el)).toEqual(['Clear', 'Close', 'Regenerate']);
  });

  it('keeps its elements, so that a selection stays', () => {
    const { model, el } = open({ transcript });
    const before = one(el, '.ft-chat-answer').firstChild;
    model.say(state({ transcript }));
    expect(one(el, '.ft-chat-answer').firstChild).toBe(before);
  });

  it('is text', () => {
    const hostile = '<img src=x onerror="document.title = 1">';
    const { el } = open({
      title: hostile,
      message: hostile,
      transcript: [user(hostile), said('base', hostile)],
    });
    expect(read(el)).toEqual([`You: ${hostile}`, `Base: ${hostile}`]);
    expect(text(el, '.ft-chat-title')).toBe(hostile);
    expect(text(el, '.ft-chat-trouble')).toBe(hostile);
    expect(el.querySelectorAll('img')).toHaveLength(0);
  });
});

describe('Regenerate', () => {
  const transcript = [user('a'), said('tuned', 'x'), user('b'), said('tuned', 'y'), said('base', 'z')];

  it('asks those who answered the last question again', () => {
    const { model, el } = open({ transcript });
    press(el, 'Regenerate');
    const messages = transcript.slice(0, 3);
    expect(model.sent).toEqual([
      { type: 'ask', id: NOW, which: ['tuned', 'base'], messages, settings: SETTINGS },
    ]);
    expect(read(el)).toEqual(['You: a', 'Tuned: x', 'You: b', 'Tuned: waiting…', 'Base: waiting…']);
    model.say(state({ status: 'busy', transcript: messages }));
    model.say({ type: 'answer', id: NOW, which: 'tuned', ...answer('new') });
    expect(read(el)[3]).toBe('Tuned: new: 4 tokens in 2.0 s');
  });

  it('leaves the draft alone', () => {
    const { el } = open({ transcript });
    type(el, 'next', 't');
    press(el, 'Regenerate');
    expect((one(el, '.ft-chat-draft') as HTMLTextAreaElement).value).toBe('next');
  });
});

describe('Stop', () => {
  it('ends the answer that is written, and those that wait', () => {
    const { model, el } = open({});
    choose(el, 'both');
    type(el, 'a');
    model.say({ type: 'token', id: NOW, which: 'tuned', text: 'LOVE' });
    model.sent.length = 0;
    press(el, 'Stop');
    expect(model.sent).toEqual([{ type: 'cancel' }]);
    expect(read(el)).toEqual(['You: a', 'Tuned: LOVE: stopped', 'Base: stopped before the first word']);
    model.say({
      type: 'answer',
      id: NOW,
      which: 'tuned',
      ...answer('LOVE', { tokens: 1, stopped: 'cancelled' }),
    });
    expect(read(el)[1]).toBe('Tuned: LOVE: 1 token in 2.0 s, stopped');
    expect(buttons(el)).toEqual(['Clear', 'Close', 'Regenerate']);
  });
});

describe('Clear and Close', () => {
  it('forget the conversation, and free the memory', () => {
    const transcript = [user('a'), said('tuned', 'x')];
    const { model, el } = open({ transcript });
    press(el, 'Clear');
    expect(read(el)).toEqual([]);
    expect(text(el, '.ft-chat-empty')).toBe('Ask something.');
    press(el, 'Close');
    expect(model.sent).toEqual([{ type: 'clear' }, { type: 'close' }]);
    model.say(state({ status: 'closed', transcript }));
    expect(text(el, '.ft-chat-trouble')).toBe("The model's memory is free. Run the cell again to talk on.");
    expect(buttons(el)).toEqual(['Clear']);
    expect(one(el, '.ft-chat-draft').hidden).toBe(true);
  });
});

describe('a chat', () => {
  it('that failed says why and what to do', () => {
    const { el } = open({ status: 'failed', message: 'No model there.', fix: 'Train first.' });
    expect(text(el, '.ft-chip')).toBe('failed');
    expect(text(el, '.ft-chat-trouble')).toBe('No model there. Train first.');
    expect(buttons(el)).toEqual([]);
  });

  it('with one model offers no choice', () => {
    const { model, el } = open({ choices: ['base'] });
    expect(one(el, '.ft-choice').hidden).toBe(true);
    type(el, 'a');
    expect(model.sent).toMatchObject([{ which: ['base'] }]);
  });

  it('that writes for another page is shown here, and can be stopped', () => {
    const { model, el } = open({ status: 'busy', transcript: [user('a')] });
    expect(text(el, '.ft-chip')).toBe('writing…');
    model.say({ type: 'token', id: 3, which: 'tuned', text: 'LO' });
    model.say({ type: 'token', id: 3, which: 'tuned', text: 'VE' });
    expect(read(el)).toEqual(['You: a', 'Tuned: LOVE']);
    press(el, 'Stop');
    expect(model.sent).toEqual([{ type: 'cancel' }]);
    model.say({ type: 'error', id: 4, message: 'No more memory.', fix: '' });
    expect(text(el, '.ft-chat-trouble')).toBe('No more memory.');
  });

  it('keeps its keys from the notebook', () => {
    const { el } = open({});
    const heard = vi.fn();
    document.addEventListener('keydown', heard);
    type(el, 'd', 'd');
    document.removeEventListener('keydown', heard);
    expect(heard).not.toHaveBeenCalled();
    expect(one(el, '.ft-root').dataset.lmSuppressShortcuts).toBe('true');
  });
});
