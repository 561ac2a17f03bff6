/** Requests to the kernel and their replies, and what the kernel says by itself. */

import type { Inspector, Refusal, Reply } from './panel';
import type { FromKernel, Progress, Replies, State, ToKernel } from './protocol';

interface Pending {
  name: keyof Replies;
  take(reply: Reply<keyof Replies>): void;
  refuse(refusal: Refusal): void;
}

/** What the kernel says without being asked. */
export interface News {
  /** `renewed`: what was known of rows and samples is of an earlier generation. */
  state(state: State, renewed: boolean): void;
  progress(progress: Progress): void;
  plotly(file: DataView): void;
  /** An error that belongs to no request of this page. */
  error(refusal: Refusal): void;
}

export interface Connection {
  ask: Inspector['ask'];
  tell(message: ToKernel): void;
  receive(message: FromKernel, buffers: DataView[]): void;
}

/**
 * The page's side of the talk.
 *
 * Requests made before a new generation are forgotten, and so are those for a sample that is no longer asked for: their
 * promises stay open. Whoever asked is told by `showState` to ask again.
 */
export function connection(send: (message: ToKernel) => void, news: News): Connection {
  const pending = new Map<number, Pending>();
  let generation: number | null = null;
  // A kernel sends replies to all pages of a widget, so each page counts from somewhere else.
  let last = Math.floor(Math.random() * 2 ** 40);

  const takeState = (state: State): void => {
    const renewed = state.generation !== generation;
    generation = state.generation;
    if (renewed) {
      forget(({ name }) => name !== 'what_if');
    }
    news.state(state, renewed);
  };
  const forget = (which: (request: Pending) => boolean): void => {
    for (const [number, request] of pending) {
      if (which(request)) {
        pending.delete(number);
      }
    }
  };
  return {
    ask: (name, request) =>
      new Promise((resolve, reject) => {
        if (name === 'sample') {
          forget(earlier => earlier.name === 'sample');
        }
        last += 1;
        pending.set(last, { name, take: reply => resolve(reply as Reply<typeof name>), refuse: reject });
        send({ type: name, request: last, ...request } as ToKernel);
      }),
    tell: send,
    receive: (message, buffers) => {
      switch (message.type) {
        case 'state':
          takeState(message);
          return;
        case 'progress':
          if (message.generation === generation) {
            news.progress(message);
          }
          return;
        case 'plotly':
          if (buffers[0]) {
            news.plotly(buffers[0]);
          }
          return;
      }
      const request = pending.get(message.request);
      pending.delete(message.request);
      if (message.type === 'error') {
        (request?.refuse ?? news.error)({ message: message.message, fix: message.fix });
        return;
      }
      if (request && message.type === 'what_if') {
        takeState(message);
      }
      request?.take({ message, buffers });
    },
  };
}

/** What went wrong as sentences. */
export function sentences(refusal: unknown): string {
  if (refusal instanceof Error) {
    return refusal.message;
  }
  const { message, fix } = refusal as Refusal;
  return [message, fix].filter(Boolean).join(' ');
}

/** An int32 buffer of a message, which may start at any byte. */
export function int32s(buffer: DataView | undefined): Int32Array {
  if (!buffer) {
    return new Int32Array(0);
  }
  const { buffer: whole, byteOffset, byteLength } = buffer;
  return new Int32Array(whole.slice(byteOffset, byteOffset + byteLength));
}
