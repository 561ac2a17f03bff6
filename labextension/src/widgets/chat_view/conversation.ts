/** The conversation as a reader sees it: questions, and under each what the models answered. */

import type { Answer, FromKernel, Message, State, Which } from './protocol';

/** An answer on the page: whole, on its way, or missing for a reason. */
export interface Shown {
  text: string;
  state: 'writing' | 'done' | 'stopped' | 'failed';
  /** How long it took, or why there is none. */
  note: string;
}

export interface Exchange {
  question: string;
  answers: Map<Which, Shown>;
}

/** The last question, and how far its answers are. */
interface Asked {
  id: number;
  /** Length of the transcript up to and with the question. */
  length: number;
  answers: Map<Which, Shown>;
}

/** The transcript of the kernel, and the answers to the last question as they come. */
export class Conversation {
  private transcript: Message[] = [];
  private asked: Asked | null = null;
  /** Notes of the answers that this page saw being finished: the transcript has only their text. */
  private readonly notes = new Map<string, string>();

  /** Take the kernel's transcript in place of the page's. */
  replace({ status, transcript }: State): void {
    const { asked } = this;
    if (
      asked &&
      this.writing &&
      transcript.length < asked.length &&
      status !== 'closed' &&
      status !== 'failed'
    ) {
      return; // from before the question reached the kernel
    }
    this.transcript = transcript;
    if (asked && status !== 'busy') {
      // Nothing is being written any more, whatever was missed.
      this.cancel();
    }
  }

  /** Note a question to some models; returns its number. */
  ask(which: Which[], messages: Message[]): number {
    this.transcript = messages.filter(({ role }) => role !== 'system');
    const id = Math.max(Date.now(), (this.asked?.id ?? 0) + 1);
    const answers = new Map(which.map(each => [each, { text: '', state: 'writing', note: '' }]));
    this.asked = { id, length: this.transcript.length, answers: answers as Map<Which, Shown> };
    return id;
  }

  /** Take a piece of an answer, a whole one, or the reason why there are no more; whether the page shows it. */
  take(message: Exclude<FromKernel, State>): boolean {
    if (this.asked?.id !== message.id) {
      // Asked by another page, or by this one before it was loaded again: the transcript ends with the question.
      this.asked = { id: message.id, length: this.transcript.length, answers: new Map() };
    }
    const { answers } = this.asked;
    const shown = message.type !== 'error' || this.writing;
    switch (message.type) {
      case 'token': {
        const before = answers.get(message.which)?.text ?? '';
        answers.set(message.which, { text: before + message.text, state: 'writing', note: '' });
        break;
      }
      case 'answer': {
        const note = figures(message);
        this.notes.set(key(message.which, message.text), note);
        answers.set(message.which, {
          text: message.text,
          state: message.stopped === 'cancelled' ? 'stopped' : 'done',
          note,
        });
        break;
      }
      case 'error': {
        const note = [message.message, message.fix].filter(Boolean).join(' ');
        this.end(unfinished => ({ ...unfinished, state: 'failed', note }));
      }
    }
    return shown;
  }

  /** No more is coming; of the answer that is being written the kernel will send what it has. */
  cancel(): void {
    this.end(shown => ({
      ...shown,
      state: 'stopped',
      note: shown.text ? 'stopped' : 'stopped before the first word',
    }));
  }

  clear(): void {
    this.transcript = [];
    this.asked = null;
  }

  /** Whether an answer is on its way. */
  get writing(): boolean {
    return [...(this.asked?.answers.values() ?? [])].some(({ state }) => state === 'writing');
  }

  exchanges(): Exchange[] {
    const list: Exchange[] = [];
    for (const { role, content, which } of this.transcript) {
      if (role === 'user') {
        list.push({ question: content, answers: new Map() });
      } else if (which) {
        list.at(-1)?.answers.set(which, {
          text: content,
          state: 'done',
          note: this.notes.get(key(which, content)) ?? '',
        });
      }
    }
    const latest = list.at(-1);
    for (const [which, shown] of this.asked?.answers ?? []) {
      if (latest && !latest.answers.has(which)) {
        latest.answers.set(which, shown);
      }
    }
    return list;
  }

  /** Everything said so far, and then `question`. */
  followedBy(question: string): Message[] {
    return [...this.transcript, { role: 'user', content: question }];
  }

  /** Everything up to and with the last question. */
  untilQuestion(): Message[] {
    return this.transcript.slice(0, this.transcript.findLastIndex(({ role }) => role === 'user') + 1);
  }

  private end(how: (shown: Shown) => Shown): void {
    for (const [which, shown] of this.asked?.answers ?? []) {
      if (shown.state === 'writing') {
        this.asked?.answers.set(which, how(shown));
      }
    }
  }
}

function key(which: Which, text: string): string {
  return `${which} ${text}`;
}

function figures({ tokens, seconds, stopped }: Answer): string {
  const spent = `${tokens} ${tokens === 1 ? 'token' : 'tokens'} in ${seconds.toFixed(1)} s`;
  const why = { eos: '', length: ', cut off at max_new_tokens', cancelled: ', stopped' };
  return spent + why[stopped];
}
