"""YAML text to plain data that knows the place of every key and value.

PyYAML scans and resolves (YAML 1.1, as Axolotl reads it: ``on`` is true, ``2e-4`` is text). The tree is built here from its
events, so that keys given twice are found, aliases cannot grow without bound and depth is limited.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import yaml

from ft_core.config.function_source import is_type_place
from ft_core.config.problems import Problem, clipped
from ft_core.config.syntax import syntax_problem
from ft_core.config.tables import is_table_place
from ft_core.config.variables import VariableError, substitute

Path = tuple[str | int, ...]
"""The way to a value: ``("datasets", 0, "path")``."""

MAX_BYTES = 1_000_000
"""The longest text that is read; scanning one takes most of a second."""

MAX_VALUES = 10_000
"""The most values that a config may hold once its aliases are expanded (against nested aliases that double each time)."""

MAX_DIGITS = 400
"""The longest number; the cost of reading one grows with the square of its length."""

NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")

MAX_DEPTH = 50
"""Levels of lists and maps; a config needs five."""


@dataclass(frozen=True)
class Place:
    """A line and a column, from 1."""

    line: int
    column: int


@dataclass
class Document:
    """Plain data and where it stood.

    Attributes
    ----------
    data
        Dicts with text keys, lists, and scalars; a `Table` where the path of a dataset is a variable that holds rows.
    values, keys
        Where each value, and each map's key, begins.
    broken
        Paths whose value could not be had (an unknown variable); their data is None.
    problems
        What was wrong on the way.
    """

    data: Any = None
    values: dict[Path, Place] = field(default_factory=dict[Path, Place])
    keys: dict[Path, Place] = field(default_factory=dict[Path, Place])
    broken: set[Path] = field(default_factory=set[Path])
    problems: list[Problem] = field(default_factory=list[Problem])


@dataclass(frozen=True)
class _Node:
    """A value of the tree: `content` is a list of nodes, a map from key to place and node, text with variables, or data."""

    place: Place
    content: Any
    kind: Literal["data", "list", "map", "variable"] = "data"
    broken: bool = False


class _LimitError(Exception):
    """The text breaks a limit."""

    def __init__(self, place: Place, message: str, fix: str) -> None:
        super().__init__(message)
        self.problem = Problem(place.line, place.column, "", message, fix)


def read_document(
    text: str, *, variables: Mapping[str, Any] | None = None, first_line: int = 1, substituting: bool = True
) -> Document:
    """Return the data of the YAML `text`.

    Never raises for a fault of the text: what is wrong is in the document's problems, and a text that is no YAML at all
    has the data None.

    Parameters
    ----------
    text
        One YAML document.
    variables
        What ``${name}`` may name; None where there is no notebook.
    first_line
        The number of the text's first line.
    substituting
        Whether ``${name}`` stands for a variable; otherwise it is text like any other.
    """
    document = Document()
    if len(text) > MAX_BYTES or len(text.encode(errors="replace")) > MAX_BYTES:
        document.problems.append(
            Problem(
                None,
                None,
                "",
                f"the config is longer than {MAX_BYTES // 1_000_000} MB",
                "keep data in files of its own",
            )
        )
        return document
    try:
        root = _Composer(text, first_line, document.problems, substituting).compose()
        if root is not None:
            document.data = _Flattener(document, variables).flatten(root, ())
    except _LimitError as limit:
        document.problems.append(limit.problem)
    except yaml.YAMLError as error:
        # What was found before the text broke is often a consequence of the same slip.
        document.problems[:] = [syntax_problem(error, text, first_line)]
    return document


def read_scalar(text: str) -> Any:
    """Return what `text` is as a YAML scalar, without scanning it: ``#``, ``: `` and a leading ``@`` stay text.

    Raises
    ------
    ValueError
        It looks like a number or date, and is none.

    Examples
    --------
    >>> read_scalar("8"), read_scalar("true"), read_scalar("1e-4"), read_scalar("a: b # c")
    (8, True, '1e-4', 'a: b # c')
    """
    loader = yaml.SafeLoader("")
    return _construct(loader, yaml.ScalarNode(loader.resolve(yaml.ScalarNode, text, (True, False)), text))


def _construct(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Any:
    """Return the value of a scalar.

    Raises
    ------
    ValueError
        There is none, as for the date 2024-13-45, or the number is too long.
    """
    if node.tag in NUMBERS and len(node.value) > MAX_DIGITS:
        raise ValueError(node.value)
    try:
        return loader.construct_object(node)
    except (LookupError, AttributeError, OverflowError) as error:
        # What PyYAML lets through for '!!int', '!!bool maybe', '!!timestamp x' and 1:00:...:00.5.
        raise ValueError(node.value) from error


class _Composer:
    """Builds the tree from PyYAML's events."""

    def __init__(
        self,
        text: str,
        first_line: int,
        problems: list[Problem],
        substituting: bool,
    ) -> None:
        self.loader = yaml.SafeLoader(text)
        self.first_line = first_line
        self.problems = problems
        self.substituting = substituting
        self.anchors: dict[str, _Node | None] = {}
        self.count = 0

    def compose(self) -> _Node | None:
        """Return the tree of the only document, or None where there is none."""
        self.loader.get_event()
        if self.loader.check_event(yaml.StreamEndEvent):
            return None
        self.loader.get_event()
        root = self.node(0)
        self.loader.get_event()
        if not self.loader.check_event(yaml.StreamEndEvent):
            place = self.place(self.loader.peek_event())
            self.report(place, "a second YAML document begins here", "remove the '---'")
        return root

    def node(self, depth: int) -> _Node:
        """Return the tree of the next value."""
        event = self.loader.get_event()
        place = self.place(event)
        self.count += 1
        if self.count > MAX_VALUES:
            raise _LimitError(
                place, f"the config holds more than {MAX_VALUES:,} values", "keep data in files of its own"
            )
        if depth > MAX_DEPTH:
            raise _LimitError(
                place, f"the config is nested deeper than {MAX_DEPTH} levels", "use fewer levels"
            )
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, place)
        if event.anchor is not None:
            # Known but unfinished: an alias to it from inside would make it hold itself.
            self.anchors[event.anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            node = self.scalar(event, place)
        elif isinstance(event, yaml.SequenceStartEvent):
            self.refuse_tag(event, place, "seq")
            node = _Node(place, self.sequence(depth), "list")
        else:
            self.refuse_tag(event, place, "map")
            node = _Node(place, self.mapping(depth), "map")
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def alias(self, event: yaml.AliasEvent, place: Place) -> _Node:
        node = self.anchors.get(event.anchor)
        if node is not None:
            return node
        if event.anchor in self.anchors:
            self.report(
                place, f"'*{event.anchor}' stands inside the value that it names", "write the value itself"
            )
        else:
            self.report(
                place,
                f"'*{event.anchor}' names no '&{event.anchor}' above it",
                "put the value in quotes if the '*' is meant as text",
            )
        return _Node(place, None, broken=True)

    def sequence(self, depth: int) -> list[_Node]:
        items: list[_Node] = []
        while not self.loader.check_event(yaml.SequenceEndEvent):
            items.append(self.node(depth + 1))
        self.loader.get_event()
        return items

    def mapping(self, depth: int) -> dict[str, tuple[Place, _Node]]:
        own: dict[str, tuple[Place, _Node]] = {}
        merged: dict[str, tuple[Place, _Node]] = {}
        while not self.loader.check_event(yaml.MappingEndEvent):
            event = self.loader.peek_event()
            place = self.place(event)
            if not isinstance(event, yaml.ScalarEvent):
                self.node(depth + 1)
                self.node(depth + 1)
                self.report(place, "a key must be plain text", "put it in quotes; braces begin a map")
                continue
            self.loader.get_event()
            key = event.value
            node = self.node(depth + 1)
            if key == "<<" and event.implicit[0]:
                for earlier in self.merge_sources(node):
                    merged = {**earlier, **merged}
            elif key in own:
                line = own[key][0].line
                self.report(
                    place,
                    f"'{clipped(key)}' is given twice, first on line {line}",
                    "remove one of the two",
                    key,
                )
            else:
                own[key] = (place, node)
        self.loader.get_event()
        return {**merged, **own}

    def merge_sources(self, node: _Node) -> list[dict[str, tuple[Place, _Node]]]:
        """Return the maps that a ``<<`` asks for, first one strongest."""
        sources = cast("list[_Node]", node.content) if node.kind == "list" else [node]
        if not all(source.kind == "map" for source in sources):
            if not any(source.broken for source in sources):
                self.report(
                    node.place, "'<<' must be given a map, such as '*name'", "name a map with '&name' above"
                )
            return []
        return [source.content for source in sources]

    def scalar(self, event: yaml.ScalarEvent, place: Place) -> _Node:
        tag = event.tag
        if tag is None or tag == "!":
            tag = self.loader.resolve(yaml.ScalarNode, event.value, event.implicit)
        node = yaml.ScalarNode(tag, event.value, event.start_mark, event.end_mark, event.style)
        try:
            value = _construct(self.loader, node)
        except yaml.constructor.ConstructorError:
            self.report(place, f"the tag '{clipped(tag)}' is not supported", "remove the tag")
            return _Node(place, None, broken=True)
        except ValueError:
            self.report(
                place, f"'{clipped(event.value)}' is not a valid value", "put it in quotes if it is text"
            )
            return _Node(place, None, broken=True)
        # What a variable may hold depends on where it stands, which an alias may show in several places.
        varies = isinstance(value, str) and "$" in value and self.substituting
        return _Node(place, value, "variable" if varies else "data")

    def refuse_tag(self, event: yaml.CollectionStartEvent, place: Place, plain: str) -> None:
        if event.tag not in (None, "!", f"tag:yaml.org,2002:{plain}"):
            self.report(place, f"the tag '{clipped(event.tag)}' is not supported", "remove the tag")

    def place(self, event: yaml.Event) -> Place:
        return Place(event.start_mark.line + self.first_line, event.start_mark.column + 1)

    def report(self, place: Place, message: str, fix: str, key: str = "") -> None:
        self.problems.append(Problem(place.line, place.column, key, message, fix))


class _Flattener:
    """Turns the tree into plain data, expanding aliases and putting variables in, and notes every place."""

    def __init__(self, document: Document, variables: Mapping[str, Any] | None) -> None:
        self.document = document
        self.variables = variables
        self.substituted: dict[tuple[Place, bool, bool], Any] = {}
        self.count = 0

    def flatten(self, node: _Node, path: Path) -> Any:
        self.count += 1
        if self.count > MAX_VALUES:
            raise _LimitError(
                node.place,
                f"the config holds more than {MAX_VALUES:,} values once its aliases are expanded",
                "use fewer aliases",
            )
        self.document.values[path] = node.place
        if node.broken:
            self.document.broken.add(path)
        if node.kind == "list":
            items = cast("list[_Node]", node.content)
            return [self.flatten(item, (*path, index)) for index, item in enumerate(items)]
        if node.kind == "map":
            data: dict[str, Any] = {}
            for key, (place, child) in cast("dict[str, tuple[Place, _Node]]", node.content).items():
                self.document.keys[(*path, key)] = place
                data[key] = self.flatten(child, (*path, key))
            return data
        return self.with_variables(node, path) if node.kind == "variable" else node.content

    def with_variables(self, node: _Node, path: Path) -> Any:
        """Return the text of `node` with its variables put in; what aliases show again is made, or reported, once."""
        key = node.place, is_table_place(path), is_type_place(path)
        if key not in self.substituted:
            try:
                self.substituted[key] = substitute(node.content, self.variables, path)
            except VariableError as error:
                place = node.place
                self.document.problems.append(Problem(place.line, place.column, "", error.message, error.fix))
                self.substituted[key] = error
        value = self.substituted[key]
        if isinstance(value, VariableError):
            self.document.broken.add(path)
            return None
        return value
