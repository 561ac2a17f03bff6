/**
 * Plugin: the still picture of a widget in a notebook that is opened when its kernel has ended.
 *
 * A saved output of ours holds the widget's id and, beside it, a picture as HTML. JupyterLab asks the widget manager for the
 * id alone, and says that there is no such model where the kernel is gone (jupyter-widgets/ipywidgets#3773). The picture
 * takes the place of those words.
 */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';

/** What the widget manager writes where it has no model. */
export const LOST = 'Error displaying widget: model not found';

/** Begins the pictures of this package, and of no other. */
const OURS = /^<div class="ft-[a-z]+" /;

const HTML = 'text/html';

/** What is read of a notebook; its cells of other kinds have no outputs. */
export interface NotebookPanel {
  node: HTMLElement;
  content: { rendermime: RenderMime; widgets: readonly { outputArea?: OutputArea }[] };
  disposed: { connect(slot: () => void): unknown };
}

interface RenderMime {
  createRenderer(mimeType: string): { node: HTMLElement; renderModel(model: unknown): Promise<void> };
  createModel(options: { data: Record<string, string>; trusted: boolean }): unknown;
}

interface OutputArea {
  widgets: readonly { node: HTMLElement }[];
  model: { get(index: number): { trusted: boolean; data: Record<string, unknown> } | undefined };
}

export const stills: JupyterFrontEndPlugin<void> = {
  id: 'ft-jupyter:stills',
  description: 'Shows the still picture of a widget whose kernel has ended.',
  autoStart: true,
  activate: (app: JupyterFrontEnd) => {
    app.docRegistry.addWidgetExtension('Notebook', {
      createNew: panel => {
        showStills(panel as unknown as NotebookPanel);
      },
    });
  },
};

/** Put pictures in the place of widgets that are lost, now and whenever one turns out to be. */
export function showStills(panel: NotebookPanel): void {
  const observer = new MutationObserver(records => {
    for (const { target, addedNodes } of records) {
      if (addedNodes.length === 1 && addedNodes[0]?.textContent === LOST && target instanceof HTMLElement) {
        void show(panel, target);
      }
    }
  });
  observer.observe(panel.node, { childList: true, subtree: true });
  panel.disposed.connect(() => observer.disconnect());
}

async function show({ content }: NotebookPanel, lost: HTMLElement): Promise<void> {
  for (const { outputArea } of content.widgets) {
    const at = outputArea?.widgets.findIndex(({ node }) => node.contains(lost)) ?? -1;
    const output = at < 0 ? undefined : outputArea?.model.get(at);
    const picture = output?.data[HTML];
    const html = Array.isArray(picture) ? picture.join('') : picture;
    if (output && typeof html === 'string' && OURS.test(html)) {
      const { rendermime } = content;
      const renderer = rendermime.createRenderer(HTML);
      await renderer.renderModel(rendermime.createModel({ data: { [HTML]: html }, trusted: output.trusted }));
      lost.replaceChildren(renderer.node);
      return;
    }
  }
}
