"""What a ``%%finetune`` cell does: YAML to Config, plan, run, live view."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from pathlib import Path

from IPython.display import display

from ft_core.config import Config, ConfigError, load_config, parse_overrides
from ft_core.config.document import read_document
from ft_core.errors import FtError
from ft_core.launch import launch
from ft_jupyter.live import Header, show, show_and_wait
from ft_jupyter.magics.options import FinetuneOptions
from ft_jupyter.plan_card import PlanCard, plan_card
from ft_jupyter.run import Run
from ft_jupyter.widgets.samples import Samples, first_samples

FIRST_LINE = 2
"""The YAML starts on the cell's second line: the magic's own is the first, as the editor counts."""


def finetune(
    options: FinetuneOptions, cell: str, user_ns: MutableMapping[str, object], *, root: Path | None
) -> PlanCard | Samples | None:
    """Do what a cell asks for; a training run is displayed and bound to its name in `user_ns`.

    Parameters
    ----------
    options
        The magic's line.
    cell
        The YAML.
    user_ns
        The notebook's variables: ``${name}`` reads them, the run is bound in them.
    root
        Folder of the runs; None for the engine's choice.

    Returns
    -------
    What ``--plan`` or ``--inspect`` asked to see, None where a run was started.

    Raises
    ------
    FtError
        The YAML is wrong, or the run cannot be started, or it failed while the cell waited for it.
    """
    config = _config(options, cell, user_ns)
    if options.inspect:
        return first_samples(config)
    card = plan_card(config, gpus=options.gpus, root=root)
    if options.plan:
        return card
    display(card)
    run = Run.of(launch(config, options.name, gpus=options.gpus, root=root, overwrite=options.overwrite))
    # Bound before anything can interrupt the cell: a run that trains must be at hand.
    user_ns[options.variable] = run
    renamed = options.name is not None and options.name != options.variable
    display(Header(run, options.variable, f"'{options.name}' is not a Python name" if renamed else ""))
    if options.wait:
        show_and_wait(run)
    else:
        show(run)
    return None


def _config(options: FinetuneOptions, cell: str, user_ns: Mapping[str, object]) -> Config:
    """Return the config of a cell over its base file, with the line's overrides over both."""
    overrides: dict[str, object] = {}
    if options.base:
        overrides |= _base_without(options.base, cell, user_ns)
    overrides |= parse_overrides(list(options.overrides))
    return load_config(cell, overrides, variables=user_ns, first_line=FIRST_LINE)


def _base_without(base: str, cell: str, user_ns: Mapping[str, object]) -> dict[str, object]:
    """Return the top-level keys of the base file that the cell does not set itself.

    Raises
    ------
    FtError
        The file cannot be read or is no YAML map.
    """
    try:
        given = Path(base).expanduser().read_text(encoding="utf-8")
    except OSError as error:
        raise FtError(
            f"The base file {base} cannot be read: {error.strerror}.", "Name a YAML file with --base."
        ) from error
    document = read_document(given, variables=user_ns)
    if document.problems:
        raise ConfigError(document.problems, given)
    own = read_document(cell, variables=user_ns).data
    keys = own if isinstance(own, dict) else {}
    if not isinstance(document.data, dict):
        raise FtError(f"The base file {base} is no map of keys.", "Write 'key: value' lines in it.")
    return {key: value for key, value in document.data.items() if key not in keys}
