/** An inspector in a page whose kernel is the test. */

import { vi } from 'vitest';

import view from '../src/widgets/inspector';
import type { Progress, Replies, State, ToKernel } from '../src/widgets/inspector/protocol';
import { CHAT, CHAT_SPANS, aList, aProgress, aSample, aState } from './a_set';
import { FakeModel, one, show } from './fake_model';

/** Pixels of every box; jsdom lays nothing out. */
export const SIGHT = { clientHeight: 440, clientWidth: 700 };

export function anInspector(traits: Record<string, unknown> = {}) {
  vi.spyOn(HTMLElement.prototype, 'clientHeight', 'get').mockReturnValue(SIGHT.clientHeight);
  vi.spyOn(HTMLElement.prototype, 'clientWidth', 'get').mockReturnValue(SIGHT.clientWidth);
  const model = new FakeModel<ToKernel>({ place: 0, tab: 'rows', mode: 'tokens', ...traits });
  const { el, leave } = show(view, model);

  /** The last message of a type that the page sent. */
  const asked = <Type extends ToKernel['type']>(type: Type): Extract<ToKernel, { type: Type }> | undefined =>
    model.sent.findLast(message => message.type === type) as Extract<ToKernel, { type: Type }> | undefined;
  /** Answer the last request of a type. */
  const reply = async <Name extends keyof Replies>(
    type: Name,
    message: Replies[Name],
    buffers: DataView[] = [],
  ): Promise<void> => {
    model.say({ type, request: (asked(type) as { request: number }).request, ...message }, buffers);
    await vi.advanceTimersByTimeAsync(0);
  };
  return {
    model,
    el,
    leave,
    asked,
    reply,
    refuse: async (type: keyof Replies, message: string, fix = ''): Promise<void> => {
      model.say({ type: 'error', request: (asked(type) as { request: number }).request, message, fix });
      await vi.advanceTimersByTimeAsync(0);
    },
    state: (change: Partial<State> = {}): void => model.say({ type: 'state', ...aState(change) }),
    progress: (jobs: Parameters<typeof aProgress>[0] = {}, change: Partial<Progress> = {}): void =>
      model.say({ type: 'progress', ...aProgress(jobs, change) }),
    /** Answer the last request for rows with rows of a plain list. */
    rows: (total = 100): Promise<void> => {
      const { start, stop } = asked('list') ?? { start: 0, stop: 0 };
      return reply('list', aList(start, stop, total));
    },
    /** Answer the last request for a sample with a chat. */
    chat: (change: Parameters<typeof aSample>[2] = {}): Promise<void> => {
      const { place, sample } = asked('sample') ?? { place: 0, sample: 0 };
      const made = aSample(CHAT, CHAT_SPANS, { place, sample, number: place + 1, ...change });
      return reply('sample', made.message, made.buffers);
    },
    box: (selector: string) => one(el, selector),
    texts: (selector: string): string[] =>
      [...el.querySelectorAll(selector)]
        .filter(found => !found.closest('[hidden]'))
        .map(found => found.textContent ?? ''),
    key: (target: Element, key: string, more: KeyboardEventInit = {}): boolean =>
      target.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...more })),
  };
}

export function type(field: Element, text: string): void {
  (field as HTMLInputElement).value = text;
  field.dispatchEvent(new Event('input', { bubbles: true }));
}
