"""Completion of ``%%finetune`` cells and ``%ft`` lines, in every front end that asks the kernel.

IPython's completer calls :func:`complete` with the whole cell (matcher API v2). What it answers takes the place of Python's
names, which mean nothing in a YAML; so in a cell of ours it always answers.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher
from IPython.core.getipython import get_ipython

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ft_jupyter.completion.offers import Offers

FINETUNE = re.compile(r"\s*%%finetune(?=\s)")
FT = re.compile(r"\s*(?:[A-Za-z_]\w*\s*=\s*)?%ft\s")


@context_matcher(priority=100, identifier="ft_jupyter")  # pyright: ignore[reportUntypedFunctionDecorator]
def complete(context: CompletionContext) -> dict[str, Any]:
    """Return what may be written at the cursor; nothing, and Python's names stay, outside of the magics."""
    found = offers_for(context.full_text, context.cursor_line, context.cursor_position)
    if found is None:
        return {"completions": []}
    return {
        # JupyterLab breaks a kind of several words over lines that lie on each other.
        "completions": [
            SimpleCompletion(offer.text, type=offer.kind.replace(" ", "\N{NO-BREAK SPACE}"))
            for offer in found.offers
        ],
        "matched_fragment": found.fragment,
        "suppress": True,
        "ordered": True,
    }


def offers_for(text: str, line: int, column: int) -> Offers | None:
    """Return what may be written at a place of a cell; None where the cell, or the place, is not ours.

    Parameters
    ----------
    text
        The whole cell.
    line, column
        The cursor, both from 0.
    """
    lines = text.split("\n")
    before = lines[line][:column]
    first = next((number for number, each in enumerate(lines) if each.strip()), 0)
    shell = get_ipython()
    user_ns = shell.user_ns if shell else {}
    if magic := FINETUNE.match(lines[first] + "\n"):
        # Imported at the first completion, not with the extension: the texts of the keys take a moment.
        from ft_jupyter.completion.keys import offers_at
        from ft_jupyter.completion.magic_line import on_finetune_line
        from ft_jupyter.completion.place import find_place

        if line > first:
            place = find_place(lines[first + 1 :], line - first - 1, column)
            return offers_at(place, user_ns, shell.user_ns_hidden if shell else {})
        return on_finetune_line(before[magic.end() :]) if line == first and column > magic.end() else None
    if magic := FT.match(before):
        from ft_jupyter.completion.magic_line import on_ft_line

        return on_ft_line(before[magic.end() :], user_ns, _runs_root(shell))
    return None


def register(shell: InteractiveShell) -> None:
    """Let the shell's completer ask us first; twice is the same as once."""
    if complete not in shell.Completer.custom_matchers:
        shell.Completer.custom_matchers.append(complete)


def unregister(shell: InteractiveShell) -> None:
    """Take our completion away."""
    if complete in shell.Completer.custom_matchers:
        shell.Completer.custom_matchers.remove(complete)


def _runs_root(shell: InteractiveShell | None) -> Path | None:
    magics = shell.magics_manager.registry.get("FinetuneMagics") if shell else None
    return magics.root if magics else None
