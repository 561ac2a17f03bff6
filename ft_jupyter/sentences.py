"""A user's mistake in a cell ends the cell with a sentence, not with a traceback.

IPython asks an exception for its own picture through ``_render_traceback_``; the engine's errors know no IPython,
so the notebook side gives each one that method as it passes. The exception stays the same object and type:
``except ConfigError`` in a cell, ``%tb``, nbclient and papermill all see it.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from ft_core.errors import FtError


def sentence(error: FtError) -> list[str]:
    """Return the lines that stand for `error` in a cell: what is wrong, where, and what to write instead."""
    render = getattr(error, "render", None)
    if callable(render):
        # A ConfigError draws each problem with its source line and a caret.
        return str(render(color=True)).splitlines()
    lines = error.message.splitlines()
    return [*lines, f"fix: {error.fix}"] if error.fix else lines


def show_as(error: BaseException, lines: list[str]) -> None:
    """Make IPython print `lines` where it would print the traceback of `error`."""
    error._render_traceback_ = lambda: lines  # type: ignore[attr-defined]


@contextmanager
def errors_as_sentences() -> Generator[None]:
    """Let every FtError raised inside be shown by IPython as its sentence.

    Usable as a decorator too; errors that are ours, not the user's, keep their whole traceback.
    """
    try:
        yield
    except FtError as error:
        show_as(error, sentence(error))
        raise
