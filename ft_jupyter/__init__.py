"""Fine-tune a language model from a notebook cell, and see every step.

In a notebook::

    %load_ext ft_jupyter

    %%finetune joker                 the cell is a YAML; the run goes on in the background
    %ft runs                         every run, and what it does
    %ft attach joker                 see a run again, from any kernel

The same from Python::

    import ft_jupyter as ft

    run = ft.train(config)           Run: run.metrics, run.stop(), run.wait(), await run
    ft.plan(config)                  what a run would do, before anything is loaded
    ft.preprocess(config)            tokenize the data now; its run then starts at once
    ft.inspect(config)               its rows, tokens, masks and packing, and what is wrong with them
    ft.chat(run)                     talk to what was trained
    ft.evaluate(run)                 loss and perplexity of its model on its evaluation data
    ft.merge(run)                    the adapter added into its base: a model of its own
    ft.runs(), ft.attach("joker")    find runs again
    ft.demo_model()                  the folder of a small chat model to try all this with
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ft_core.models.demo import demo_model
    from ft_jupyter.api import attach, chat, evaluate, inspect, merge, plan, preprocess, runs, train
    from ft_jupyter.run import Run

__all__ = [
    "Run",
    "_jupyter_labextension_paths",
    "attach",
    "chat",
    "demo_model",
    "evaluate",
    "inspect",
    "load_ipython_extension",
    "merge",
    "plan",
    "preprocess",
    "runs",
    "train",
    "unload_ipython_extension",
]

# Where each public name lives. They are imported at first use: %load_ext must not wait for the engine.
_HOMES = {
    "Run": "ft_jupyter.run",
    "attach": "ft_jupyter.api",
    "chat": "ft_jupyter.api",
    "demo_model": "ft_core.models.demo",
    "evaluate": "ft_jupyter.api",
    "inspect": "ft_jupyter.api",
    "merge": "ft_jupyter.api",
    "plan": "ft_jupyter.api",
    "preprocess": "ft_jupyter.api",
    "runs": "ft_jupyter.api",
    "train": "ft_jupyter.api",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'ft_jupyter' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register ``%%finetune``, ``%ft`` and their completion; loading twice is the same as loading once."""
    from ft_jupyter import completion
    from ft_jupyter.magics import FinetuneMagics

    if FinetuneMagics.__name__ not in shell.magics_manager.registry:
        shell.register_magics(FinetuneMagics)
    completion.register(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take the magics and their completion away and close the live views; every run goes on."""
    import sys

    from ft_jupyter import completion

    completion.unregister(shell)
    magics = shell.magics_manager
    magics.registry.pop("FinetuneMagics", None)
    magics.magics["cell"].pop("finetune", None)
    magics.magics["line"].pop("ft", None)
    # Only where one was ever made: unloading must not import the widgets.
    for views in (
        "ft_jupyter.widgets.run_view",
        "ft_jupyter.widgets.chat_view",
        "ft_jupyter.widgets.inspector",
    ):
        if views in sys.modules:
            sys.modules[views].close_all()


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Tell JupyterLab's tools where the built extension is."""
    return [{"src": "labextension", "dest": "ft-jupyter"}]
