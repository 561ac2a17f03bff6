/** A chat with a model and the model it was tuned from. Its messages: docs/reference/widget-messages.md. */

import type { RenderProps } from '@anywidget/types';

import { button, element, icon, setText } from '../shared/dom';
import { CHECK, CROSS, DOTS, PLAY, SQUARE } from '../shared/icons';
import { followTheme } from '../shared/theme';
import { Conversation } from './conversation';
import type { FromKernel, Message, State, Status, ToKernel, Which } from './protocol';
import { settings } from './settings';
import { NAMES, transcript } from './transcript';

/** Milliseconds without an answer after which the page says what it waits for. */
export const PATIENCE = 3000;

type Asked = Which | 'both';

const STATUS: Record<Status | 'connecting', [words: string, icon: string]> = {
  connecting: ['connecting…', DOTS],
  loading: ['loading model…', DOTS],
  ready: ['ready', CHECK],
  busy: ['writing…', PLAY],
  closed: ['closed', SQUARE],
  failed: ['failed', CROSS],
};

function render({ model, el }: RenderProps): () => void {
  const send = (message: ToKernel): void => model.send(message);
  const conversation = new Conversation();
  let state: State | null = null;
  let asked: Asked = 'tuned';
  // Radio buttons of one name are one group in the whole page, and a page may have several chats.
  const group = `ft-chat-${Math.random()}`;

  const chip = element('span', { class: 'ft-chip', role: 'status' });
  const title = element('strong', { class: 'ft-chat-title' }, 'Chat');
  const clear = button('Clear', 'Forget this conversation', () => {
    conversation.clear();
    send({ type: 'clear' });
    draw();
  });
  const close = button('Close', "End the model's process and free its memory", () => send({ type: 'close' }));
  const trouble = element('div', { class: 'ft-chat-trouble', role: 'alert' });
  const talk = transcript();
  const options = settings();
  const draft = element('textarea', {
    class: 'ft-chat-draft',
    rows: 2,
    'aria-label': 'message',
    placeholder: 'Message (Enter sends, Shift+Enter starts a new line)',
  });
  const choice = element('div', {
    class: 'ft-choice',
    role: 'radiogroup',
    'aria-label': 'who answers',
    hidden: true,
  });
  const again = button('Regenerate', 'Ask the last question again', () => regenerate());
  const stop = button('Stop', 'End the answer here', () => {
    conversation.cancel();
    send({ type: 'cancel' });
    draw();
  });
  const go = button('Send', 'Send (Enter)', () => submit());
  go.classList.add('ft-button-main');
  const root = element(
    'section',
    { class: 'ft-root ft-chat', 'aria-label': 'chat', 'data-lm-suppress-shortcuts': 'true' },
    element(
      'header',
      { class: 'ft-chat-head' },
      chip,
      title,
      element('div', { class: 'ft-actions' }, clear, close),
    ),
    trouble,
    talk.element,
    draft,
    element(
      'div',
      { class: 'ft-chat-line' },
      choice,
      options.element,
      element('div', { class: 'ft-actions' }, again, stop, go),
    ),
  );
  el.append(root);

  const ready = (): boolean => state?.status === 'ready' && !conversation.writing;
  const answerers = (): Which[] => {
    const choices = state?.choices ?? [];
    return asked === 'both' ? choices : choices.filter(which => which === asked);
  };
  const ask = (which: Which[], messages: Message[]): boolean => {
    const how = which.length > 0 && ready() ? options.read() : null;
    if (!how) {
      return false;
    }
    const system = options.system();
    const told: Message[] = system ? [{ role: 'system', content: system }, ...messages] : messages;
    send({ type: 'ask', id: conversation.ask(which, messages), which, messages: told, settings: how });
    draw();
    talk.element.scrollTop = talk.element.scrollHeight;
    return true;
  };
  const submit = (): void => {
    const question = draft.value.trim();
    if (question && ask(answerers(), conversation.followedBy(question))) {
      draft.value = '';
      draw();
    }
  };
  const regenerate = (): void => {
    const latest = conversation.exchanges().at(-1);
    const which = [...(latest?.answers.keys() ?? [])];
    ask(which.length > 0 ? which : answerers(), conversation.untilQuestion());
  };

  const drawChoice = (choices: Which[]): void => {
    const offered: Asked[] = choices.length > 1 ? [...choices, 'both'] : choices;
    if (choice.dataset.offered === offered.join()) {
      return;
    }
    choice.dataset.offered = offered.join();
    choice.hidden = offered.length < 2;
    asked = offered[0] ?? 'tuned';
    choice.replaceChildren(
      ...offered.map(value => {
        const radio = element('input', { type: 'radio', value, name: group });
        radio.checked = value === asked;
        radio.addEventListener('change', () => (asked = value));
        return element('label', {}, radio, value === 'both' ? 'Both' : NAMES[value]);
      }),
    );
  };
  const draw = (): void => {
    const status = state?.status ?? 'connecting';
    const shown = status === 'ready' && conversation.writing ? 'busy' : status;
    const over = status === 'closed' || status === 'failed';
    const [words, path] = STATUS[shown];
    if (chip.dataset.state !== shown) {
      chip.dataset.state = shown;
      chip.replaceChildren(icon(path), words);
    }
    const exchanges = conversation.exchanges();
    talk.draw(exchanges, conversation.writing, over);
    const busy = shown === 'busy';
    stop.hidden = !busy;
    go.hidden = busy || over;
    go.disabled = !ready() || !draft.value.trim();
    again.hidden = busy || over || exchanges.length === 0;
    again.disabled = !ready();
    clear.hidden = exchanges.length === 0;
    clear.disabled = busy;
    close.hidden = over || !state;
    draft.hidden = over;
    choice.classList.toggle('ft-gone', over);
    options.element.hidden = over;
  };
  const take = (message: FromKernel): void => {
    if (message.type !== 'state') {
      if (!conversation.take(message) && message.type === 'error') {
        setText(trouble, sentences(message));
      }
      draw();
      return;
    }
    clearTimeout(unanswered);
    state = message;
    conversation.replace(message);
    setText(title, message.title);
    drawChoice(message.choices);
    const closed =
      message.status === 'closed' ? "The model's memory is free. Run the cell again to talk on." : '';
    setText(trouble, sentences(message) || closed);
    trouble.dataset.state = message.status;
    draw();
  };

  const unanswered = setTimeout(() => setText(trouble, 'waiting for the kernel'), PATIENCE);
  draft.addEventListener('input', draw);
  draft.addEventListener('keydown', event => {
    // Enter that ends the composition of a character is not the end of the message.
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      submit();
    }
  });
  // A notebook has meanings of its own for keys.
  for (const typing of [draft, options.element]) {
    typing.addEventListener('keydown', event => event.stopPropagation());
  }
  model.on('msg:custom', take);
  const unfollow = followTheme(root, () => undefined);
  draw();
  send({ type: 'hello' });

  return () => {
    clearTimeout(unanswered);
    unfollow();
    model.off('msg:custom', take);
  };
}

function sentences({ message, fix }: { message: string; fix: string }): string {
  return [message, fix].filter(Boolean).join(' ');
}

export default { render };
