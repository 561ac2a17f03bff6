/** Plugin: YAML colours, indentation and comments inside `%%finetune` cells. */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { EditorExtensionRegistry, IEditorExtensionRegistry } from '@jupyterlab/codemirror';

import { finetuneCell } from './finetune_cell';

export const highlight: JupyterFrontEndPlugin<void> = {
  id: 'ft-jupyter:highlight',
  description: 'Colours the YAML of %%finetune cells.',
  autoStart: true,
  requires: [IEditorExtensionRegistry],
  activate: (_app: JupyterFrontEnd, extensions: IEditorExtensionRegistry) => {
    extensions.addExtension({
      name: 'ft-jupyter:finetune-cell',
      factory: ({ model }) =>
        EditorExtensionRegistry.createImmutableExtension(finetuneCell(model.sharedModel.getSource())),
    });
  },
};
