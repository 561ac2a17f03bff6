/** The conversation as a reader sees it: questions, and under each what the models answered. */

import type { Answer, FromKernel, Message, Settings, Turn, Which } from './protocol';

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
  /** What each model was asked, without the system's message: asking that again is the same question. */
  asked: Map<Which, Message[]>;
}

/** A question that the kernel's transcript does not have yet. */
interface Pending {
  id: number;
  which: Which;
  messages: Message[];
  shown: Shown;
}

/** The transcript of the kernel, and after it what was asked since. */
export class Conversation {
  private turns: Turn[] = [];
  private pending: Pending[] = [];
  /** `max_new_tokens` of the questions of this page, to tell when an answer was cut off. */
  private readonly limits = new Map<number, number>();

  /** The kernel's transcript; what it has is no longer pending. */
  replace(turns: Turn[]): void {
    this.turns = turns;
    const known = new Set(turns.map(turn => turn.id));
    this.pending = this.pending.filter(({ id }) => !known.has(id));
  }

  /** Note a question to one model; returns the `ask` message for it. */
  ask(which: Which, messages: Message[], settings: Settings) {
    const id = Math.max(0, ...this.turns.map(turn => turn.id), ...this.pending.map(asked => asked.id)) + 1;
    this.limits.set(id, settings.max_new_tokens);
    this.pending.push({ id, which, messages, shown: { text: '', state: 'writing', note: '' } });
    return { type: 'ask' as const, id, which: [which], messages, settings };
  }

  /** Take a piece of an answer, a whole one, or the reason why there is none. */
  take(message: Exclude<FromKernel, { type: 'state' }>): void {
    const pending = this.pending.find(({ id }) => id === message.id);
    if (!pending) {
      return; // asked by another page: the transcript will have it
    }
    switch (message.type) {
      case 'token':
        pending.shown = { ...pending.shown, text: pending.shown.text + message.text };
        break;
      case 'answer':
        pending.shown = finished(message, this.limits.get(message.id));
        break;
      case 'error':
        pending.shown = {
          text: pending.shown.text,
          state: 'failed',
          note: [message.message, message.fix].filter(Boolean).join(' '),
        };
    }
  }

  /** What waits is not answered any more; what is being written ends when the kernel says so. */
  cancel(): void {
    for (const waiting of this.pending) {
      if (waiting.shown.state === 'writing' && !waiting.shown.text) {
        waiting.shown = { text: '', state: 'stopped', note: 'stopped before the first word' };
      }
    }
  }

  clear(): void {
    this.turns = [];
    this.pending = [];
  }

  /** Whether an answer is on its way. */
  get writing(): boolean {
    return this.pending.some(({ shown }) => shown.state === 'writing');
  }

  exchanges(): Exchange[] {
    const list: Exchange[] = [];
    for (const turn of this.turns) {
      for (const [which, answer] of Object.entries(turn.answers) as [Which, Answer][]) {
        place(list, which, turn.messages, finished(answer, this.limits.get(turn.id)));
      }
    }
    for (const { which, messages, shown } of this.pending) {
      place(list, which, messages, shown);
    }
    return list;
  }

  /** What `which` has said and been asked so far, and then `question`: its own conversation. */
  messages(which: Which, question: string): Message[] {
    const said = this.exchanges().flatMap(({ question: earlier, answers }): Message[] => {
      const answer = answers.get(which);
      return answer?.text
        ? [
            { role: 'user', content: earlier },
            { role: 'assistant', content: answer.text },
          ]
        : [];
    });
    return [...said, { role: 'user', content: question }];
  }
}

function finished({ text, tokens, seconds, stopped }: Answer, limit = Infinity): Shown {
  const words = [`${tokens} ${tokens === 1 ? 'token' : 'tokens'} in ${seconds.toFixed(1)} s`];
  if (stopped) {
    words.push('stopped');
  } else if (tokens >= limit) {
    words.push('cut off at max_new_tokens');
  }
  return { text, state: stopped ? 'stopped' : 'done', note: words.join(', ') };
}

/** Put an answer under its question: the same question asked again, or asked of the other model too, stands once. */
function place(list: Exchange[], which: Which, messages: Message[], shown: Shown): void {
  const asked = messages.filter(({ role }) => role !== 'system');
  const question = asked.at(-1)?.content ?? '';
  const same = (other: Message[] | undefined): boolean => JSON.stringify(other) === JSON.stringify(asked);
  const latest = list.at(-1);
  let exchange = list.findLast(earlier => same(earlier.asked.get(which)));
  if (!exchange && latest?.question === question && !latest.answers.has(which)) {
    exchange = latest;
  }
  if (!exchange) {
    exchange = { question, answers: new Map(), asked: new Map() };
    list.push(exchange);
  }
  exchange.answers.set(which, shown);
  exchange.asked.set(which, asked);
}
