/** A widget model without a kernel: the test is the kernel. */

import type { AnyModel, RenderProps } from '@anywidget/types';

type Handler = (...parts: never[]) => void;

export class FakeModel<Message> {
  readonly sent: Message[] = [];
  /** The traits as the page saved them, each time. */
  readonly saved: Record<string, unknown>[] = [];
  private readonly handlers = new Map<string, Set<Handler>>();

  constructor(readonly traits: Record<string, unknown> = {}) {}

  get(name: string): unknown {
    return this.traits[name];
  }

  set(name: string, value: unknown): void {
    this.traits[name] = value;
  }

  save_changes(): void {
    this.saved.push({ ...this.traits });
  }

  on(event: string, handler: Handler): void {
    this.handlers.set(event, (this.handlers.get(event) ?? new Set()).add(handler));
  }

  off(event: string, handler: Handler): void {
    this.handlers.get(event)?.delete(handler);
  }

  send(message: Message): void {
    this.sent.push(structuredClone(message));
  }

  /** The kernel sends a message to the page. */
  say(message: object, buffers: DataView[] = []): void {
    this.call('msg:custom', message, buffers);
  }

  /** The kernel changes a trait. */
  change(name: string, value: unknown): void {
    this.traits[name] = value;
    this.call(`change:${name}`);
  }

  private call(event: string, ...parts: unknown[]): void {
    for (const handler of this.handlers.get(event) ?? []) {
      (handler as (...parts: unknown[]) => void)(...parts);
    }
  }
}

/** Show a view in the page; returns what it shows and the end of it. */
export function show<Message>(
  view: { render(props: RenderProps<never>): () => void },
  model: FakeModel<Message>,
): { el: HTMLElement; leave: () => void } {
  const el = document.createElement('div');
  document.body.append(el);
  const props = { model: model as unknown as AnyModel, el } as unknown as RenderProps<never>;
  return { el, leave: view.render(props) };
}

/** The text of the one element that `selector` finds. */
export function text(el: HTMLElement, selector: string): string | null {
  return one(el, selector).textContent;
}

export function one(el: HTMLElement, selector: string): HTMLElement {
  const found = el.querySelectorAll<HTMLElement>(selector);
  if (found.length !== 1 || !found[0]) {
    throw new Error(`${found.length} elements are ${selector}`);
  }
  return found[0];
}

/** The button that reads `label`, if it can be seen. */
export function press(el: HTMLElement, label: string): void {
  const found = [...el.querySelectorAll('button')].filter(
    button => button.textContent === label && !button.closest('[hidden]'),
  );
  if (found.length !== 1 || !found[0]) {
    throw new Error(`${found.length} buttons read ${label}`);
  }
  found[0].click();
}

/** Labels of the buttons that can be seen and pressed. */
export function buttons(el: HTMLElement): string[] {
  return [...el.querySelectorAll('button')]
    .filter(button => !button.closest('[hidden]') && !button.disabled)
    .map(button => button.textContent ?? '');
}
