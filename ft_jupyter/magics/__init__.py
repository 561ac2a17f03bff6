"""The magics of the notebook. Loading them costs no engine import; the first cell that needs the engine pays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand
from traitlets import Unicode

from ft_jupyter.sentences import errors_as_sentences


@magics_class
class FinetuneMagics(Magics):
    """``%%finetune`` and ``%ft``; ``%config FinetuneMagics`` shows what can be set."""

    runs_dir = Unicode(
        "",
        help="Folder of the runs. Empty: $FT_RUNS_DIR, or else the folder 'runs' beside the notebook.",
    ).tag(config=True)

    @property
    def root(self) -> Path | None:
        """The folder of the runs, None for the engine's own choice."""
        return Path(self.runs_dir).expanduser() if self.runs_dir else None

    @property
    def _user_ns(self) -> dict[str, Any]:
        assert self.shell is not None
        return self.shell.user_ns

    @no_var_expand
    @cell_magic
    def finetune(self, line: str, cell: str) -> Any:
        """Fine-tune a language model in the background; the cell is a YAML with Axolotl's keys.

        ::

            %%finetune [name] [options]
            base_model: HuggingFaceTB/SmolLM2-135M-Instruct
            datasets:
              - path: data.jsonl
                type: chat_template

        name              name of the run and of the variable that receives it (default: run)
        --plan            validate and estimate, train nothing
        --inspect         look at rows, tokens, masks and packing, train nothing
        --wait            block until the run ends; with --inspect, until all rows were looked at
        --gpus N          train on N GPUs
        --set KEY=VALUE   override a key, dotted for a nested one; repeatable
        --base FILE       a YAML file, or its https address, that the cell overrides
        --resume          go on where the last run of this config broke off, if one did
        --overwrite       replace a run of the same name
        --launcher NAME   how the run is started: process

        Every key is an option too: --learning-rate 1e-4, --no-tf32, --datasets[0].path=rows.jsonl.

        ${name} in the YAML takes the value of a variable of the notebook; as the path of a dataset it may hold the rows.
        """
        with errors_as_sentences():
            from ft_jupyter.magics.cell_config import cell_config
            from ft_jupyter.magics.options import parse_finetune

            options = parse_finetune(line)
            config = cell_config(options, cell, self._user_ns)
            # Only now: a mistake in the YAML need not wait for the widgets and the planner.
            from ft_jupyter.magics.finetune import finetune

            return finetune(options, config, self._user_ns, root=self.root)

    @no_var_expand
    @line_magic
    def ft(self, line: str) -> Any:
        """Look at runs, data, plans and keys; ``%ft`` alone lists the verbs."""
        from ft_jupyter.magics.ft import ft

        with errors_as_sentences():
            return ft(line, self._user_ns, root=self.root)
