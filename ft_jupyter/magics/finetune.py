"""What a ``%%finetune`` cell does with its config: plan, run, live view."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path

from IPython.display import display

from ft_core.config import Config
from ft_core.launch import launch
from ft_jupyter.live import Header, wait_for
from ft_jupyter.magics.options import FinetuneOptions
from ft_jupyter.plan_card import PlanCard, plan_card
from ft_jupyter.run import Run
from ft_jupyter.widgets.inspector import InspectorView, open_inspector


def finetune(
    options: FinetuneOptions, config: Config, user_ns: MutableMapping[str, object], *, root: Path | None
) -> PlanCard | InspectorView | Run:
    """Do what a cell asks for; a training run is bound to its name in `user_ns`.

    Parameters
    ----------
    options
        The magic's line.
    config
        What the cell's YAML says.
    user_ns
        The notebook's variables; the run is bound in them.
    root
        Folder of the runs; None for the engine's choice.

    Returns
    -------
    What ``--plan`` or ``--inspect`` asked to see, else the run: as a cell's result it draws itself.

    Raises
    ------
    FtError
        The run cannot be started, or it failed while the cell waited for it.
    """
    if options.inspect:
        return open_inspector(config, wait=options.wait)
    card = plan_card(config, gpus=options.gpus, root=root, exact=options.plan)
    if options.plan:
        return card
    display(card)
    run = Run.of(
        launch(
            config, options.name, gpus=options.gpus, root=root, overwrite=options.overwrite, plan=card.plan
        )
    )
    # Bound before anything can interrupt the cell: a run that trains must be at hand.
    user_ns[options.variable] = run
    renamed = options.name is not None and options.name != options.variable
    display(Header(run, options.variable, f"'{options.name}' is not a Python name" if renamed else ""))
    if options.wait:
        wait_for(run)
    return run
