"""What the engine raises, and nothing else reaches a user as a sentence.

::

    FtError                 message + fix, shown without a traceback
    ├── ConfigError         the YAML is wrong (ft_core.config; carries every Problem at once)
    ├── DataError           a dataset cannot be read or has nothing to train on
    ├── ModelError          a model or tokenizer cannot be loaded or does not fit
    ├── LaunchError         the training process cannot be started
    ├── RunError            a run directory is missing, taken, or in the wrong state
    └── MissingExtra        a package that an option needs is not installed
"""

from __future__ import annotations


class FtError(Exception):
    """A mistake that the user can mend.

    Parameters
    ----------
    message
        What is wrong, as one sentence, with the names the user wrote.
    fix
        What to do instead, as one sentence. May be empty where the message says it all.
    """

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message, fix)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message}\n{self.fix}" if self.fix else self.message


class DataError(FtError):
    """A dataset cannot be read, or leaves nothing to train on."""


class ModelError(FtError):
    """A model or tokenizer cannot be loaded, or does not fit the config."""


class LaunchError(FtError):
    """The training process cannot be started."""


class RunError(FtError):
    """A run directory is missing, taken, or in the wrong state."""


class MissingExtra(FtError):  # noqa: N818 - it names what is missing, as pip's extras do
    """A package that an option needs is not installed; the fix is the pip line."""


def causes(error: BaseException) -> list[BaseException]:
    """Return `error` and what led to it, outermost first."""
    links: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in links:
        links.append(link)
        link = link.__cause__ or link.__context__
    return links
