"""Options on a magic's line: argparse, with its exits turned into sentences."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from typing import NoReturn

from ft_core.config.flags import split_flags
from ft_core.config.problems import did_you_mean
from ft_core.errors import FtError


class LineParser(argparse.ArgumentParser):
    """A parser for the line of the magic `prog`; a mistake raises FtError with the nearest option and the usage."""

    def __init__(self, prog: str, description: str) -> None:
        # No abbreviations: an option added later must not change what a notebook means.
        super().__init__(prog=prog, description=description, add_help=False, allow_abbrev=False)

    def parse_line(self, line: str) -> argparse.Namespace:
        """Return the options of `line`, split as a shell would split it.

        Raises
        ------
        FtError
            A quote is left open, an option is unknown, or a value is missing or of the wrong kind.
        """
        return self.parse_words(split(line, self.prog))

    def parse_words(self, words: Sequence[str]) -> argparse.Namespace:
        """Return the options that `words` give; raises as :meth:`parse_line` does."""
        options, unknown = self.parse_known_args(words)
        if unknown:
            self._refuse(unknown[0])
        return options

    def parse_with_keys(self, words: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
        """Return the options that `words` give, and the config keys among them as ``key=value``.

        Raises
        ------
        FtError
            As :meth:`parse_line`, or an option is neither one of this line nor a key.
        """
        known = [option for action in self._actions for option in action.option_strings]
        try:
            rest, overrides = split_flags(words, known)
        except FtError as error:
            end = "" if error.message.endswith("?") else "."
            raise FtError(f"{self.prog}: {error.message}{end}", self.usage_line()) from None
        return self.parse_words(rest), overrides

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing and leaving the process."""
        raise FtError(f"{self.prog}: {message}.", self.usage_line())

    def usage_line(self) -> str:
        """Return the usage on one line."""
        return "usage: " + " ".join(self.format_usage().split()[1:])

    def _refuse(self, word: str) -> NoReturn:
        """Say that `word` means nothing here, and what was likely meant."""
        if not word.startswith("-"):
            raise FtError(f"{self.prog}: '{word}' is one word too many.", self.usage_line())
        known = [option for action in self._actions for option in action.option_strings]
        guess = did_you_mean(word.split("=")[0], known) or "."
        raise FtError(f"{self.prog} has no option '{word}'{guess}", self.usage_line())


def split(line: str, prog: str) -> list[str]:
    """Return the words of `line` as a shell would split them.

    Raises
    ------
    FtError
        A quote is left open.
    """
    try:
        return shlex.split(line)
    except ValueError as error:
        raise FtError(f"{prog}: a quote on the line is left open.", "Close it.") from error
