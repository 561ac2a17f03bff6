/** What a browser's page has and jsdom has not. */

import { afterEach, beforeEach, vi } from 'vitest';

class NoResizes implements ResizeObserver {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('ResizeObserver', NoResizes);
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  document.body.replaceChildren();
  delete (globalThis as { [key: symbol]: unknown })[Symbol.for('ft_jupyter.plotly')];
});
