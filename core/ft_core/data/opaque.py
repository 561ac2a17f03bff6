"""Whether a chat template only copies what messages say, and never looks at it.

Of a template that does not look, conversations of the same roles have the same text around what is said. It is proven by
following in the template's syntax tree what may hold a content, a message or all messages: a content may be joined to text,
trimmed and written; whatever else is done with one (compared, split, searched, counted, given to a filter) is no proof, and so
is any construct that is not known here. What is asked of its type has the answer of a text that is not blank.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import nodes

_CLEAN, _CONTENT, _MESSAGE, _MESSAGES, _NAMESPACE = "clean", "content", "message", "messages", "namespace"

Kinds = frozenset[str]
"""What an expression may be."""

_NOTHING: Kinds = frozenset({_CLEAN})
_ALWAYS_CONTENT: Kinds = frozenset({_CONTENT})
_ALWAYS_MESSAGE: Kinds = frozenset({_MESSAGE})
_ALWAYS_MESSAGES: Kinds = frozenset({_MESSAGES})

_ANSWERS = {
    "string": True, "defined": True, "iterable": True, "sequence": True, "undefined": False, "none": False,
    "mapping": False, "number": False, "boolean": False,
}  # fmt: skip
"""What Jinja's tests say of a content. They say as little of what a message holds as of a text."""

_STRIPS = ("strip", "lstrip", "rstrip")


@dataclass(frozen=True)
class Opaque:
    """What the text around contents depends on besides the roles.

    Attributes
    ----------
    date_formats
        In which formats the template writes the date.
    strips_some
        Whether it takes only some kinds of white space off contents.
    """

    date_formats: tuple[str, ...]
    strips_some: bool


def prove_opaque(template: str) -> Opaque | None:
    """Return what the text around contents depends on, or None where the template may look at contents.

    It holds for messages that have a role and a content and nothing else, whose contents are text and not blank.

    >>> prove_opaque("{% for m in messages %}{{ m.role + ': ' + m.content | trim }}{% endfor %}")
    Opaque(date_formats=(), strips_some=False)
    >>> prove_opaque("{% for m in messages %}{{ m.content.split('</think>')[-1] }}{% endfor %}")
    """
    from jinja2 import Environment, TemplateSyntaxError
    from jinja2.ext import Extension

    class Generation(Extension):
        """The block by which some templates mark what is trained; it writes what is in it."""

        tags = {"generation"}  # noqa: RUF012 - Jinja's own name and kind

        def parse(self, parser: Any) -> Any:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    try:
        tree = Environment(extensions=["jinja2.ext.loopcontrols", Generation]).parse(template)  # noqa: S701 - only parsed
    except TemplateSyntaxError:
        return None
    walk = _Walk()
    try:
        # What a name may be is known when another pass adds nothing.
        while True:
            before = dict(walk.names)
            walk.statements(tree.body)
            if walk.names == before:
                return Opaque(tuple(dict.fromkeys(walk.date_formats)), walk.strips_some)
    except _LooksError:
        return None


class _LooksError(Exception):
    """The template may look at a content."""


@dataclass
class _Walk:
    """What is known of a template.

    Attributes
    ----------
    names
        What each variable may be, wherever it is set; of an attribute of a namespace the name begins with a dot, of what
        a macro returns it ends with brackets.
    """

    names: dict[str, Kinds] = field(default_factory=lambda: {"messages": frozenset({_MESSAGES})})
    macros: dict[str, nodes.Macro] = field(default_factory=dict[str, Any])
    date_formats: list[str] = field(default_factory=list[str])
    strips_some: bool = False

    def statements(self, body: Sequence[nodes.Node]) -> bool:
        """Follow statements, and return whether they may write a content."""
        return True in [self._statement(node) for node in body]

    def _statement(self, node: nodes.Node) -> bool:
        from jinja2 import nodes

        match node:
            case nodes.Output():
                return True in [self._written(part) for part in node.nodes]
            case nodes.If():
                return self._if(node)
            case nodes.For(recursive=False):
                return self._for(node)
            case nodes.Assign():
                self._assign(node.target, self.kinds(node.node))
            case nodes.AssignBlock(filter=None):
                content = self.statements(node.body)
                self._assign(node.target, frozenset({_CONTENT, _CLEAN}) if content else _NOTHING)
            case nodes.Macro():
                self._macro(node)
            case nodes.Continue() | nodes.Break():
                pass
            case _:
                raise _LooksError
        return False

    def _written(self, node: nodes.Expr) -> bool:
        kinds = self.kinds(node)
        if kinds - {_CLEAN, _CONTENT}:
            raise _LooksError
        return _CONTENT in kinds

    def _if(self, node: nodes.If) -> bool:
        self.kinds(node.test)
        truth = self._truth(node.test)
        content = False
        if truth is not False:
            content |= self.statements(node.body)
        if truth is not True:
            content |= self.statements([*node.elif_, *node.else_])
        return content

    def _for(self, node: nodes.For) -> bool:
        kinds = self.kinds(node.iter)
        if kinds - {_CLEAN, _MESSAGES}:
            raise _LooksError
        self._assign(node.target, frozenset(_MESSAGE if kind == _MESSAGES else kind for kind in kinds))
        if node.test is not None:
            self.kinds(node.test)
        return self.statements([*node.body, *node.else_])

    def _macro(self, node: nodes.Macro) -> None:
        self.macros[node.name] = node
        for parameter, default in zip(reversed(node.args), reversed(node.defaults), strict=False):
            self._assign(parameter, self.kinds(default))
        if self.statements(node.body):
            self._add(f"{node.name}()", frozenset({_CONTENT, _CLEAN}))

    def _assign(self, target: nodes.Node, kinds: Kinds) -> None:
        from jinja2 import nodes

        match target:
            case nodes.Name():
                self._add(target.name, kinds)
            case nodes.NSRef():
                self._add(f".{target.attr}", kinds)
            case nodes.Tuple() if kinds == _NOTHING:
                for item in target.items:
                    self._assign(item, kinds)
            case _:
                raise _LooksError

    def _add(self, name: str, kinds: Kinds) -> None:
        self.names[name] = self.names.get(name, frozenset()) | kinds

    def kinds(self, node: nodes.Node) -> Kinds:
        """Return what an expression may be."""
        from jinja2 import nodes

        match node:
            case nodes.Const() | nodes.TemplateData():
                return _NOTHING
            case nodes.Name():
                return self.names.get(node.name, _NOTHING)
            case nodes.Getattr():
                return self._item(node.node, nodes.Const(node.attr))
            case nodes.Getitem():
                return self._item(node.node, node.arg)
            case nodes.Call():
                return self._call(node)
            case nodes.Filter() if node.node is not None:
                return self._filter(node)
            case nodes.Test():
                if self.kinds(node.node) != _NOTHING and node.name not in _ANSWERS:
                    raise _LooksError
                self._clean(node.args)
            case nodes.Compare():
                self._compare(node)
            case nodes.Not():
                self.kinds(node.node)
            case nodes.And() | nodes.Or():
                left = self.kinds(node.left)
                if self._truth(node.left) is isinstance(node, nodes.Or):
                    return left
                return left | self.kinds(node.right)
            case nodes.CondExpr():
                self.kinds(node.test)
                truth = self._truth(node.test)
                branches = (
                    [node.expr1] if truth else [node.expr2] if truth is False else [node.expr1, node.expr2]
                )
                return frozenset[str]().union(
                    *(self.kinds(branch) for branch in branches if branch is not None)
                )
            case nodes.Add():
                return self._joined([node.left, node.right])
            case nodes.Concat():
                return self._joined(node.nodes)
            case (
                nodes.List() | nodes.Tuple() | nodes.Dict() | nodes.Pair() | nodes.Slice() | nodes.Keyword()
                | nodes.Sub() | nodes.Mul() | nodes.Div() | nodes.FloorDiv() | nodes.Mod() | nodes.Neg() | nodes.Pos()
            ):  # fmt: skip
                self._clean(list(node.iter_child_nodes()))
            case _:
                raise _LooksError
        return _NOTHING

    def _clean(self, parts: Sequence[nodes.Node]) -> None:
        """Refuse where one of `parts` may be of what messages say."""
        if set(map(self.kinds, parts)) - {_NOTHING}:
            raise _LooksError

    def _item(self, owner: nodes.Node, key: nodes.Node) -> Kinds:
        from jinja2 import nodes

        name = key.value if isinstance(key, nodes.Const) else None
        if isinstance(owner, nodes.Name) and owner.name == "loop":
            return frozenset({_MESSAGE, _CLEAN}) if name in ("previtem", "nextitem") else _NOTHING
        self._clean([key])
        result: set[str] = set()
        for kind in self.kinds(owner):
            if kind == _CLEAN:
                result.add(_CLEAN)
            elif kind == _NAMESPACE and isinstance(name, str):
                result |= self.names.get(f".{name}", _NOTHING)
            elif kind == _MESSAGE and isinstance(name, str):
                result.add(_CONTENT if name == "content" else _CLEAN)
            elif kind == _MESSAGES and not isinstance(name, str):
                result.add(_MESSAGES if isinstance(key, nodes.Slice) else _MESSAGE)
            else:
                raise _LooksError
        return frozenset(result)

    def _call(self, node: nodes.Call) -> Kinds:
        from jinja2 import nodes

        if node.dyn_args is not None or node.dyn_kwargs is not None:
            raise _LooksError
        match node.node:
            case nodes.Name(name="raise_exception"):
                # Whether it comes to this depends on other things, and then there is no text.
                return _NOTHING
            case nodes.Name(name="namespace"):
                self._clean(node.args)
                for keyword in node.kwargs:
                    self._add(f".{keyword.key}", self.kinds(keyword.value))
                return frozenset({_NAMESPACE})
            case nodes.Name(name="strftime_now"):
                match node.args:
                    case [nodes.Const(value=str(written))]:
                        self.date_formats.append(written)
                    case _:
                        raise _LooksError
                return _NOTHING
            case nodes.Name() if node.node.name in self.macros:
                return self._call_macro(node, self.macros[node.node.name])
            case nodes.Getattr():
                return self._call_method(node, node.node)
            case _:
                self._clean([node.node, *node.args, *node.kwargs])
        return _NOTHING

    def _call_macro(self, node: nodes.Call, macro: nodes.Macro) -> Kinds:
        parameters = {parameter.name: parameter for parameter in macro.args}
        given = {parameter.name: value for parameter, value in zip(macro.args, node.args, strict=False)}
        given |= {keyword.key: keyword.value for keyword in node.kwargs}
        if len(node.args) > len(macro.args) or given.keys() - parameters.keys():
            raise _LooksError
        for name, value in given.items():
            self._assign(parameters[name], self.kinds(value))
        return self.names.get(f"{macro.name}()", _NOTHING)

    def _call_method(self, node: nodes.Call, method: nodes.Getattr) -> Kinds:
        kinds = self.kinds(method.node)
        if kinds == _NOTHING:
            self._clean([*node.args, *node.kwargs])
            return _NOTHING
        if kinds == _ALWAYS_MESSAGE and method.attr == "get" and node.args:
            return self._item(method.node, node.args[0]).union(*map(self.kinds, node.args[1:]))
        if kinds <= {_CONTENT, _CLEAN} and method.attr in _STRIPS and not node.kwargs:
            self._stripped(node.args)
            return kinds
        raise _LooksError

    def _stripped(self, characters: Sequence[nodes.Node]) -> None:
        """Note which characters are taken off a content; they must be white space."""
        from jinja2 import nodes

        for each in characters:
            if not isinstance(each, nodes.Const) or not isinstance(each.value, str) or each.value.strip():
                raise _LooksError
            self.strips_some = True

    def _filter(self, node: nodes.Filter) -> Kinds:
        assert node.node is not None
        kinds = self.kinds(node.node)
        if kinds <= {_CONTENT, _CLEAN} and node.name in ("trim", "string") and not node.kwargs:
            self._stripped(node.args)
            return kinds
        self._clean([*node.args, *node.kwargs])
        if kinds == _ALWAYS_MESSAGES:
            of_messages = {"list": _MESSAGES, "reverse": _MESSAGES, "first": _MESSAGE, "last": _MESSAGE}
            if node.name in ("length", "count"):
                return _NOTHING
            if node.name in of_messages and not node.args:
                return frozenset({of_messages[node.name]})
        elif kinds == _NOTHING:
            return _NOTHING
        raise _LooksError

    def _compare(self, node: nodes.Compare) -> None:
        from jinja2 import nodes

        left = self.kinds(node.expr)
        for operand in node.ops:
            right = self.kinds(operand.expr)
            if left == right == _NOTHING:
                continue
            key_of_message = operand.op in ("in", "notin") and left == _NOTHING and right == _ALWAYS_MESSAGE
            other = operand.expr
            # A text that is not blank equals no blank one, and nothing that is no text.
            told = (
                operand.op in ("eq", "ne")
                and left <= {_CONTENT, _CLEAN}
                and isinstance(other, nodes.Const)
                and not str(other.value if isinstance(other.value, str) else "").strip()
            )
            if len(node.ops) > 1 or not (key_of_message or told):
                raise _LooksError

    def _joined(self, parts: Sequence[nodes.Node]) -> Kinds:
        kinds = [self.kinds(part) for part in parts]
        if any(kind - {_CLEAN, _CONTENT} for kind in kinds):
            raise _LooksError
        if _ALWAYS_CONTENT in kinds:
            return _ALWAYS_CONTENT
        return frozenset[str]().union(*kinds)

    def _truth(self, node: nodes.Node) -> bool | None:
        """Return whether a test holds, where what is known of the messages tells it."""
        from jinja2 import nodes

        match node:
            case nodes.Test():
                return _ANSWERS.get(node.name) if self.kinds(node.node) == _ALWAYS_CONTENT else None
            case nodes.Not():
                truth = self._truth(node.node)
                return None if truth is None else not truth
            case nodes.And() | nodes.Or():
                decisive = isinstance(node, nodes.Or)
                left = self._truth(node.left)
                if left is decisive:
                    return left
                right = self._truth(node.right)
                return right if right is decisive or left is not None else None
            case nodes.Compare() | nodes.Const():
                return None
            case _:
                return True if self.kinds(node) == _ALWAYS_CONTENT else None
