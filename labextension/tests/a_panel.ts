/** A panel without an inspector around it: the test is the inspector and the kernel. */

import { vi } from 'vitest';

import type { Inspector, Panel, Refusal, Reply } from '../src/widgets/inspector/panel';
import type { Job, Progress, Replies, Requests } from '../src/widgets/inspector/protocol';

interface Question {
  name: string;
  request: unknown;
  reply(message: object, buffers?: DataView[]): Promise<void>;
  refuse(refusal: Refusal): Promise<void>;
}

/** An inspector that remembers what it was asked, and answers when the test says so. */
export class FakeInspector implements Inspector {
  readonly questions: Question[] = [];
  readonly tell = vi.fn();
  readonly open = vi.fn();
  readonly filter = vi.fn();
  readonly said: string[] = [];
  readonly announcer = {
    element: document.createElement('div'),
    say: (text: string) => void this.said.push(text),
    stop: () => undefined,
  };
  readonly library = {
    version: '4.1.1',
    react: vi.fn(async (_chart: HTMLElement, _traces: object[], _layout: object) => undefined),
    extendTraces: vi.fn(async () => undefined),
    purge: vi.fn(),
    Plots: { resize: vi.fn() },
  };
  plotly = async (): Promise<typeof this.library> => this.library;

  ask<Name extends keyof Requests & keyof Replies>(
    name: Name,
    request: Requests[Name],
  ): Promise<Reply<Name>> {
    return new Promise((resolve, reject) => {
      const settled = async (settle: () => void): Promise<void> => {
        settle();
        await vi.advanceTimersByTimeAsync(0);
      };
      this.questions.push({
        name,
        request,
        reply: (message, buffers = []) =>
          settled(() => resolve({ message: message as Replies[Name], buffers })),
        refuse: refusal => settled(() => reject(refusal)),
      });
    });
  }

  /** What was asked and not yet looked at by the test; the last of it. */
  get last(): Question {
    const last = this.questions.at(-1);
    if (!last) {
      throw new Error('nothing was asked');
    }
    return last;
  }

  get asked(): [string, unknown][] {
    return this.questions.map(({ name, request }) => [name, request]);
  }
}

export function show<Kind extends Panel>(panel: Kind): Kind {
  document.body.append(panel.element);
  return panel;
}

export function aJob(state: Job['state'], done = 0, change: Partial<Job> = {}): Job {
  return { state, done, total: 100, seconds: 10, message: '', ...change };
}

export function someProgress(
  change: Omit<Partial<Progress>, 'jobs'> & { jobs?: Partial<Progress['jobs']> } = {},
): Progress {
  const { jobs, ...rest } = change;
  return {
    generation: 1,
    jobs: { scan: aJob('idle'), search: aJob('idle'), parity: aJob('idle'), ...jobs },
    counts: {},
    found: 0,
    summary: null,
    findings: [],
    ...rest,
  };
}

/** The texts of all elements that `selector` finds. */
export function texts(el: ParentNode, selector: string): string[] {
  return [...el.querySelectorAll(selector)].map(found => found.textContent ?? '');
}

export function int32(values: number[]): DataView {
  return new DataView(Int32Array.from(values).buffer);
}

export function float32(values: number[]): DataView {
  return new DataView(Float32Array.from(values).buffer);
}
