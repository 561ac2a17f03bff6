"""The config as JSON Schema (2020-12) for editors, from the keys' own texts: ``python -m ft_core.config.json_schema``.

It says what one value may be; what several keys may be together only :func:`ft_core.config.load_config` knows. An empty
value stands for a key that is not given, so every key but the required ones may be null.
"""

from __future__ import annotations

import json
from typing import Any

import yaml
from pydantic.fields import FieldInfo

from ft_core.config.config import INNER, TOPICS
from ft_core.config.explain import KeyDoc, docs_by_key, explain, holds_list
from ft_core.config.renamed import ALIASES, ATTENTION, OLDER, OLDER_KEYS, PRECISION, today
from ft_core.config.schema.dataset_type import FUNCTION, TypeChoice
from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import (
    Checked,
    Choice,
    Either,
    Flag,
    FreeMap,
    MapList,
    Number,
    NumberList,
    Steps,
    Text,
    TextList,
    TextListMap,
    TextMap,
    Whole,
    WholeList,
    WholeMap,
)

Schema = dict[str, Any]

TEXT: Schema = {"type": "string", "minLength": 1}


def json_schema() -> Schema:
    """Return the schema of a whole config."""
    fields = {key: info for topic in TOPICS for key, info in topic.model_fields.items()}
    properties = {key: _of_key(key, info) for key, info in fields.items()}
    properties |= {key: _of_older(key) for key in sorted(OLDER_KEYS) if key not in fields}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ft_jupyter config",
        "description": "What a run trains, on what and how; the keys are Axolotl's.",
        "type": "object",
        "properties": properties,
        "required": [key for key, info in fields.items() if info.is_required()],
        "additionalProperties": False,
        "$defs": {inner.__name__: _of_topic(inner, holder) for inner, holder in _holders().items()},
    }


def render() -> str:
    """Return the schema as the text of its file."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _holders() -> dict[type[Topic], str]:
    """Return the first key that holds each kind of map."""
    holders: dict[type[Topic], str] = {}
    for holder, inner in INNER.items():
        holders.setdefault(inner, holder)
    return holders


def _of_older(key: str) -> Schema:
    """Return the schema of an older form of a key, which loading translates or drops."""
    about: Schema = {"description": explain(key).text, "deprecated": True}
    if key in ALIASES or key in OLDER:
        return {"$ref": f"#/properties/{today(key)}"} | about
    return about | ({"type": ["boolean", "null"]} if key in ATTENTION or key in PRECISION else {})


def _of_topic(topic: type[Topic], holder: str) -> Schema:
    fields = topic.model_fields
    return {
        "type": "object",
        "description": " ".join((topic.__doc__ or "").split()),
        "properties": {key: _of_key(f"{holder}.{key}", info) for key, info in fields.items()},
        "required": [key for key, info in fields.items() if info.is_required()],
        "additionalProperties": False,
    }


def _of_key(path: str, info: FieldInfo) -> Schema:
    doc = docs_by_key()[path]
    kind = next((item for item in info.metadata if isinstance(item, Checked)), None)
    schema = _of_inner(path, info, kind) if path in INNER else _of_kind(kind)
    schema = {"description": _description(doc)} | (schema if doc.required else _or_null(schema))
    default = _plain(doc.default)
    if default is not None:
        schema["default"] = default
    if doc.example:
        schema["examples"] = [_example(doc, kind)]
    return schema


def _of_inner(key: str, info: FieldInfo, kind: Checked | None) -> Schema:
    """Return the schema of a key that holds a map of keys of ours, or a list of such maps."""
    inner: Schema = {"$ref": f"#/$defs/{INNER[key].__name__}"}
    if not holds_list(info):
        return {"anyOf": [inner]}
    entries: Schema = {"type": "array", "items": inner}
    # A list of maps with a kind of its own takes one entry, or its path, for the list.
    return {"anyOf": [entries, inner, TEXT]} if kind else entries


def _of_kind(kind: Checked | None) -> Schema:
    """Return the schema of what `kind` accepts."""
    match kind:
        case Flag():
            return {"type": "boolean"}
        case Steps():
            share = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
            return {"anyOf": [{"type": "integer", "minimum": 1}, share]}
        case Whole():
            return {"type": "integer", **_bounds(kind)}
        case Number():
            return {"type": "number", **_bounds(kind)}
        case Text():
            return dict(TEXT)
        case TypeChoice():
            functions: Schema = {"type": "string", "pattern": f"^({FUNCTION})$"}
            return {"anyOf": [{"enum": ["", *kind.options]}, functions, {"type": ["object", "null"]}]}
        case Choice():
            names: Schema = {"enum": [*((True, False) if kind.flags else ()), *kind.options]}
            if not kind.pattern:
                return names
            return {"anyOf": [names, {"type": "string", "pattern": f"^{kind.pattern}$"}]}
        case TextList():
            ways: list[Schema] = [{"type": "array", "items": TEXT}]
            ways += [dict(TEXT)] if kind.single else [{"const": kind.keyword}] if kind.keyword else []
            return {"anyOf": ways} if len(ways) > 1 else ways[0]
        case NumberList():
            return {"type": "array", "items": {"type": "number"}}
        case WholeList():
            least = {} if kind.minimum is None else {"minimum": kind.minimum}
            return {"type": "array", "items": {"type": "integer", **least}}
        case MapList():
            return {"type": "array", "items": {"type": "object"}}
        case WholeMap():
            return {"type": "object", "additionalProperties": {"type": "integer", "minimum": 1}}
        case TextMap():
            return {"type": "object", "additionalProperties": TEXT}
        case TextListMap():
            item = {"anyOf": [TEXT, {"type": "array", "items": TEXT}]}
            return {"type": "object", "additionalProperties": item}
        case FreeMap():
            return {"type": "object"}
        case Either():
            return {"anyOf": [_of_kind(one) for one in kind.kinds]}
        case _:
            raise TypeError(f"no JSON Schema is known for {type(kind).__name__}")


def _bounds(kind: Number) -> Schema:
    named = {
        "minimum": kind.minimum,
        "exclusiveMinimum": kind.above,
        "maximum": kind.maximum,
        "exclusiveMaximum": kind.below,
    }
    return {name: bound for name, bound in named.items() if bound is not None}


def _or_null(schema: Schema) -> Schema:
    if "type" in schema:
        return schema | {"type": [schema["type"], "null"]}
    if "enum" in schema:
        return schema | {"enum": [*schema["enum"], None]}
    return schema | {"anyOf": [*schema["anyOf"], {"type": "null"}]}


def _description(doc: KeyDoc) -> str:
    return doc.text if doc.instead is None else f"Not supported yet: {doc.instead}. {doc.text}"


def _plain(value: Any) -> Any:
    """Return a default as JSON has it, None for one that is in the keys of its map."""
    if isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value] or None
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()} or None
    return None


def _example(doc: KeyDoc, kind: Checked | None) -> Any:
    value = yaml.safe_load(doc.example)[doc.name]
    # To PyYAML, 2e-4 is text; to an editor's YAML 1.2 and to us it is a number.
    return kind.check(value) if isinstance(kind, Number) else value


if __name__ == "__main__":
    print(render(), end="")  # noqa: T201
