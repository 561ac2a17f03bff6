"""A config while it is being loaded: plain data, where each value came from, and what was found wrong so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ft_core.config.document import Document, Path, Place
from ft_core.config.problems import Problem, in_order, visible


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
        Where the value of a path, and what it holds, stood before an older form was translated.
    reworded
        What stood at a path before an older word for its value was translated.
    bad
        Paths whose value is known to be wrong, so that nothing further is said about them.
    refused
        The values among these that are understood, and that ask for what training does not do yet.
    problems
        What is wrong.
    """

    data: dict[str, Any]
    document: Document
    overridden: set[Path] = field(default_factory=set[Path])
    moved: dict[Path, Path] = field(default_factory=dict[Path, Path])
    reworded: dict[Path, str] = field(default_factory=dict[Path, str])
    bad: set[Path] = field(default_factory=set[Path])
    refused: dict[Path, Any] = field(default_factory=dict[Path, Any])
    problems: list[Problem] = field(default_factory=list[Problem])

    def given(self, key: str) -> bool:
        """Whether the top-level `key` was given a value that is not wrong."""
        return key in self.data and not self.is_bad((key,))

    def written(self, path: Path) -> Path:
        """Return where the value of `path` was written, before any translation of an older form."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.moved:
                return self.moved[path[:length]] + path[length:]
        return path

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
        path = self.written(path)
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
        """Add a problem about `path`, and mark its value as bad if it is an error.

        Its place and key are those where the value was written, and an error about a translated value names the older
        form too.
        """
        written = self.written(path)
        if severity == "error":
            self.bad.add(path)
            older = self.reworded.get(path, written[-1])
            if older != path[-1] and isinstance(older, str):
                message += f" (here written '{older}')"
        override = self.override_of(written)
        if override is not None:
            place, message = None, f"--set {dotted(override)}: {message}"
        else:
            place = self.place(path, at)
        line, column = (place.line, place.column) if place else (None, None)
        self.problems.append(Problem(line, column, dotted(written), visible(message), visible(fix), severity))

    def warn(self, path: Path, message: str, fix: str = "", *, at: Literal["key", "value"] = "key") -> None:
        """Add a warning about `path`."""
        self.report(path, message, fix, at=at, severity="warning")

    def told(self) -> list[Problem]:
        """Return the problems in the order of the text, each once; a warning about what an error is about is left out."""
        wrong = {problem.key for problem in self.problems if problem.severity == "error"}
        # Twice: an entry of a list that a translation made into several.
        problems = dict.fromkeys(
            problem for problem in self.problems if problem.severity == "error" or problem.key not in wrong
        )
        return sorted(problems, key=in_order)


def dotted(path: Path) -> str:
    """Return ``datasets[0].path`` for ``("datasets", 0, "path")``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
