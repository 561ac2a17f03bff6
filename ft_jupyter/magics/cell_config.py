"""The YAML of a ``%%finetune`` cell to a Config.

Apart from what is done with it, so that a mistake is on the screen before anything else is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ft_core.config import Config, ConfigError, load_config, parse_overrides
from ft_core.config.address import is_address
from ft_core.config.document import read_document
from ft_core.config.renamed import today
from ft_core.errors import FtError
from ft_jupyter.magics.options import FinetuneOptions

FIRST_LINE = 2
"""The YAML starts on the cell's second line: the magic's own is the first, as the editor counts."""


def cell_config(options: FinetuneOptions, cell: str, user_ns: Mapping[str, object]) -> Config:
    """Return the config of a cell over its base file, with the line's overrides over both.

    Parameters
    ----------
    options
        The magic's line.
    cell
        The YAML.
    user_ns
        The notebook's variables, which ``${name}`` names.

    Raises
    ------
    FtError
        With every problem of the YAML, at its line in the cell; or the base file cannot be read.
    """
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
    given = _text(base)
    document = read_document(given, variables=user_ns)
    if document.problems:
        raise ConfigError(document.problems, given)
    own = read_document(cell, variables=user_ns).data
    keys = {today(key) for key in own} if isinstance(own, dict) else set[str]()
    if not isinstance(document.data, dict):
        raise FtError(f"The base file {base} is no map of keys.", "Write 'key: value' lines in it.")
    return {key: value for key, value in document.data.items() if today(key) not in keys}


def _text(base: str) -> str:
    """Return the text of the base, a file or an https address."""
    if is_address(base):
        from ft_core.config.remote import fetch

        return fetch(base)
    try:
        return Path(base).expanduser().read_text(encoding="utf-8")
    except OSError as error:
        raise FtError(
            f"The base file {base} cannot be read: {error.strerror}.", "Name a YAML file with --base."
        ) from error
