"""A config while it is being loaded: plain data, where each value came from, and what was found wrong so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ft_core.config.document import Document, Path, Place
from ft_core.config.problems import Problem


@dataclass
class Draft:
    """What the steps of loading hand on.

    Attributes
    ----------
    data
        The config's map; None where the source holds no map.
    document
        Where each value stood; empty where the config was a mapping.
    overridden
        Paths that an override set.
    moved
        Where the value of a path stood before it was moved there from an older name.
    bad
        Paths whose value is known to be wrong, so that nothing further is said about them.
    problems
        What is wrong.
    """

    data: dict[str, Any]
    document: Document
    overridden: set[Path] = field(default_factory=set[Path])
    moved: dict[Path, Path] = field(default_factory=dict[Path, Path])
    bad: set[Path] = field(default_factory=set[Path])
    problems: list[Problem] = field(default_factory=list[Problem])

    def given(self, key: str) -> bool:
        """Whether the top-level `key` was given a value that is not wrong."""
        return key in self.data and not self.is_bad((key,))

    def is_bad(self, path: Path) -> bool:
        """Whether `path`, or what holds it, is known to be wrong."""
        return any(path[:length] in self.bad for length in range(1, len(path) + 1))

    def override_of(self, path: Path) -> Path | None:
        """Return the override that set `path`, or that made what should hold it."""
        prefixes = [path[:length] for length in range(1, len(path) + 1)]
        for prefix in prefixes:
            if prefix in self.overridden:
                return prefix
        if self.document.values:
            new = next((prefix for prefix in prefixes if prefix not in self.document.values), None)
            return next((made for made in self.overridden if new and made[: len(new)] == new), None)
        return None

    def place(self, path: Path, at: Literal["key", "value"]) -> Place | None:
        """Return where `path` stands in the text, or the nearest thing that holds it."""
        path = self.moved.get(path, path)
        while path:
            found = self.document.keys.get(path) if at == "key" else None
            if found := found or self.document.values.get(path):
                return found
            path = path[:-1]
        return None

    def report(
        self,
        path: Path,
        message: str,
        fix: str = "",
        *,
        at: Literal["key", "value"] = "value",
        severity: Literal["error", "warning"] = "error",
    ) -> None:
        """Add a problem about `path`, and mark its value as bad if it is an error."""
        if severity == "error":
            self.bad.add(path)
        override = self.override_of(self.moved.get(path, path))
        if override is not None:
            place, message = None, f"--set {dotted(override)}: {message}"
        else:
            place = self.place(path, at)
        line, column = (place.line, place.column) if place else (None, None)
        self.problems.append(Problem(line, column, dotted(path), message, fix, severity))

    def warn(self, path: Path, message: str, fix: str = "", *, at: Literal["key", "value"] = "key") -> None:
        """Add a warning about `path`."""
        self.report(path, message, fix, at=at, severity="warning")


def dotted(path: Path) -> str:
    """Return ``datasets[0].path`` for ``("datasets", 0, "path")``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
