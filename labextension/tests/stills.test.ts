import { afterEach, describe, expect, it, vi } from 'vitest';

import { LOST, showStills } from '../src/lab/stills';
import type { NotebookPanel } from '../src/lab/stills';

const OURS = '<div class="ft-samples" style="">12 samples</div>';

/** A notebook with a cell of text and one with an output for each bundle; `lose` makes the widget of one be lost. */
function notebook(...bundles: Record<string, unknown>[]) {
  const node = document.createElement('div');
  document.body.append(node);
  const outputs = bundles.map(() => {
    const widget = document.createElement('div');
    const output = document.createElement('div');
    output.append(widget);
    node.append(output);
    return { output, widget };
  });
  let close = (): void => undefined;
  const createModel = vi.fn(({ data }: { data: Record<string, string>; trusted: boolean }) => data);
  const panel = {
    node,
    content: {
      rendermime: {
        createModel,
        createRenderer: () => {
          const drawn = document.createElement('div');
          return {
            node: drawn,
            renderModel: async (data: Record<string, string>) =>
              void (drawn.innerHTML = data['text/html'] ?? ''),
          };
        },
      },
      widgets: [
        {},
        {
          outputArea: {
            widgets: outputs.map(({ output }) => ({ node: output })),
            model: { get: (at: number) => ({ trusted: at === 0, data: bundles[at] }) },
          },
        },
      ],
    },
    disposed: { connect: (slot: () => void) => (close = slot) },
  } as unknown as NotebookPanel;
  showStills(panel);
  const said = async (at: number, words: string): Promise<string> => {
    const { widget } = outputs[at]!;
    widget.textContent = words;
    await vi.advanceTimersByTimeAsync(0);
    return widget.innerHTML;
  };
  return { said, createModel, close: () => close() };
}

afterEach(() => document.body.replaceChildren());

describe('a widget whose kernel has ended', () => {
  it('is shown as the picture that was saved beside it, no more trusted than its output', async () => {
    const { said, createModel } = notebook(
      { 'text/html': OURS },
      { 'text/html': [OURS.slice(0, 9), OURS.slice(9)] },
    );
    expect(await said(1, LOST)).toBe(`<div>${OURS}</div>`);
    expect(await said(0, LOST)).toBe(`<div>${OURS}</div>`);
    expect(createModel.mock.calls.map(([options]) => options.trusted)).toEqual([false, true]);
  });

  it.each([
    ['another package', { 'text/html': '<div class="theirs">12</div>' }],
    ['no picture', { 'text/plain': 'a widget' }],
  ])('is left as it is: %s', async (_, bundle) => {
    const { said } = notebook(bundle);
    expect(await said(0, LOST)).toBe(LOST);
  });

  it('is not taken for one that is loaded or fails in another way', async () => {
    const { said } = notebook({ 'text/html': OURS });
    expect(await said(0, 'Error displaying widget')).toBe('Error displaying widget');
  });

  it('is left alone when the notebook is closed', async () => {
    const { said, close } = notebook({ 'text/html': OURS });
    close();
    expect(await said(0, LOST)).toBe(LOST);
  });
});
