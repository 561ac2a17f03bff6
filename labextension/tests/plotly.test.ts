import { describe, expect, it, vi } from 'vitest';

import { PATIENCE, deliver, plotly } from '../src/widgets/shared/plotly';

const KEY = Symbol.for('ft_jupyter.plotly');

describe('plotly.js', () => {
  it('is asked for once a page, while its kernel answers', async () => {
    const [first, second] = [vi.fn(), vi.fn()];
    const [a, b] = [plotly(first), plotly(second)];
    expect(first).toHaveBeenCalledTimes(1);
    expect((globalThis as { [KEY]?: unknown })[KEY]).toBe(a);
    vi.advanceTimersByTime(PATIENCE - 1);
    expect(second).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(second).toHaveBeenCalledTimes(1);
    void b;
  });

  it('of the page is used where it is new enough', async () => {
    const ask = vi.fn();
    const own = { version: '3.0.1' };
    vi.stubGlobal('Plotly', own);
    expect(await plotly(ask)).toBe(own);
    expect(ask).not.toHaveBeenCalled();
  });

  it('of the page is not used where it is too old', () => {
    const ask = vi.fn();
    vi.stubGlobal('Plotly', { version: '2.35.2' });
    void plotly(ask);
    expect(ask).toHaveBeenCalledTimes(1);
  });

  it('is inflated, run, and leaves the page its own names; a second delivery is ignored', async () => {
    vi.useRealTimers();
    const sources: string[] = [];
    // jsdom's Blob has no stream; the one that a Response gives has.
    vi.stubGlobal('Blob', (await new Response('').blob()).constructor);
    vi.stubGlobal('URL', {
      createObjectURL: (blob: Blob) => {
        void blob.text().then(source => sources.push(source));
        return 'blob:made';
      },
      revokeObjectURL: vi.fn(),
    });
    const old = { version: '2.35.2' };
    const made = { version: '4.1.1' };
    vi.stubGlobal('Plotly', old);
    vi.spyOn(document.head, 'append').mockImplementation(script => {
      (globalThis as { Plotly?: unknown }).Plotly = made;
      (script as HTMLScriptElement).onload?.(new Event('load'));
    });
    const promise = plotly(() => undefined);
    const packed = new Blob(['window.Plotly = 1']).stream().pipeThrough(new CompressionStream('gzip'));
    deliver(new Uint8Array(await new Response(packed).arrayBuffer()));
    deliver(new Uint8Array([1, 2, 3]));
    expect(await promise).toBe(made);
    expect(sources).toEqual(['window.Plotly = 1']);
    expect((globalThis as { Plotly?: unknown }).Plotly).toBe(old);
  });

  it('that the page forbids is a reason, and the next view tries again', async () => {
    const promise = plotly(() => undefined);
    deliver(new Uint8Array([1, 2, 3])); // jsdom cannot inflate: as a page that cannot
    await expect(promise).rejects.toThrow();
    const ask = vi.fn();
    void plotly(ask);
    expect(ask).toHaveBeenCalledTimes(1);
  });
});
