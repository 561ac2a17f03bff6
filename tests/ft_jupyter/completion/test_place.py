"""Where the cursor (``|``) stands in a YAML."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ft_jupyter.completion.place import Place, find_place

DATASETS = ("datasets",)


def place_in(marked: str) -> Place:
    before, _, after = marked.partition("|")
    lines = before.split("\n")
    return find_place((before + after).split("\n"), len(lines) - 1, len(lines[-1]))


@pytest.mark.parametrize(
    ("yaml", "path", "fragment", "keys"),
    [
        ("|", (), "", ""),
        ("ba|", (), "ba", ""),
        ("base_model: x\n|", (), "", "base_model"),
        ("base_model: x\nlo|\nlora_r: 8", (), "lo", "base_model lora_r"),
        ("base_model: x\n\n# why\n|\n", (), "", "base_model"),
        ("lora_r|: 8", (), "lora_r", ""),
        ("'lora|': 8", (), "lora", ""),
        ("datasets:\n  - path: x\n    |\n    type: y", DATASETS, "", "path type"),
        ("datasets:\n  - path: x\n    ty|", DATASETS, "ty", "path"),
        ("datasets:\n  - path: x\n  - type: y\n    |", DATASETS, "", "type"),
        ("datasets:\n- path: x\n  ty|", DATASETS, "ty", "path"),
        ("datasets:\n- path: x\n|", (), "", "datasets"),
        ("datasets:\n  -   path: x\n      |", DATASETS, "", "path"),
        ("datasets:\n  -\n    |", DATASETS, "", ""),
        ("datasets:\n- path: x\nseed: 1\n|", (), "", "datasets seed"),
        ("datasets:\n\t- path: x\n\t  ty|", DATASETS, "ty", "path"),
        ("special_tokens:\n  pad_token: x\n  |\nseed: 1", ("special_tokens",), "", "pad_token"),
        ("special_tokens:\n  pad_token: x\n|\nseed: 1", (), "", "seed special_tokens"),
        ("datasets:\n  - path: x\n    roles:\n      user: [a]\n    |", DATASETS, "", "path roles"),
        ("datasets: [{|", DATASETS, "", ""),
        ("datasets: [{path: x, ty|", DATASETS, "ty", "path"),
        ("datasets: [{path: x, ty|}]\nseed: 1", DATASETS, "ty", "path"),
        ("datasets: [{path: x, | type: y}]", DATASETS, "", "path type"),
        ("datasets: [{path: x, type|: y}]", DATASETS, "type", "path"),
        ("datasets: [{path: 'a, b: {c}', ty|}]", DATASETS, "ty", "path"),
        ("datasets:\n  - {path: x,\n     ty|}", DATASETS, "ty", "path"),
        ("special_tokens: {pad_token: x, |}", ("special_tokens",), "", "pad_token"),
        ("eot_tokens: [a, b\nseed: 1\nlo|", (), "lo", "eot_tokens seed"),
    ],
)
def test_a_key(yaml: str, path: tuple[str, ...], fragment: str, keys: str) -> None:
    place = place_in(yaml)
    assert (place.kind, place.path, place.fragment) == ("key", path, fragment)
    assert place.given == set(keys.split())
    assert not place.opens


@pytest.mark.parametrize(
    ("yaml", "path"),
    [
        ("datasets:\n  |", DATASETS),
        ("datasets:\n  - path: x\n  |", DATASETS),
        ("special_tokens:\n  |", ("special_tokens",)),
        ("datasets:\n  - path: x\n    roles:\n      |", ("datasets", "roles")),
    ],
)
def test_a_key_that_begins_a_map(yaml: str, path: tuple[str, ...]) -> None:
    assert place_in(yaml) == Place("key", path, opens=True)


@pytest.mark.parametrize("yaml", ["lora_r|: 8", "a: {lora_r|: 8}", "a: {lo|ra_r: 8}", "'lora_r|': 8"])
def test_a_key_whose_colon_is_there(yaml: str) -> None:
    assert place_in(yaml).colon_follows


@pytest.mark.parametrize(
    ("yaml", "place"),
    [
        ("adapter: |", Place("value", ("adapter",))),
        ("adapter: |\nlora_r: 8", Place("value", ("adapter",))),
        ("adapter: lo|", Place("value", ("adapter",), "lo")),
        ("adapter:|", Place("value", ("adapter",), touches_colon=True)),
        ("adapter: 'lo|", Place("value", ("adapter",), "lo", quoted=True)),
        ('adapter: "|"', Place("value", ("adapter",), quoted=True)),
        ("datasets:\n  - path: x\n    type: ch|", Place("value", ("datasets", "type"), "ch")),
        ("datasets:\n  - path: ./da|", Place("value", ("datasets", "path"), "./da")),
        ("datasets: [{path: x, type: ch|}]", Place("value", ("datasets", "type"), "ch", flow=True)),
        ("datasets: [{path: 'x|", Place("value", ("datasets", "path"), "x", flow=True, quoted=True)),
        ("x: [y\nbase_model: |", Place("value", ("base_model",))),
        ("x: a#|", Place("value", ("x",), "a#")),
    ],
)
def test_a_value(yaml: str, place: Place) -> None:
    assert place_in(yaml) == place


@pytest.mark.parametrize(
    ("yaml", "path", "fragment"),
    [
        ("datasets:\n  - |", DATASETS, ""),
        ("datasets:\n  - pa|", DATASETS, "pa"),
        ("datasets:\n- pa|", DATASETS, "pa"),
        ("eot_tokens:\n  - a\n  - b|", ("eot_tokens",), "b"),
        ("eot_tokens: [a, b|]", ("eot_tokens",), "b"),
        ("roles: {user: [hu|", ("roles", "user"), "hu"),
    ],
)
def test_an_entry_of_a_list(yaml: str, path: tuple[str, ...], fragment: str) -> None:
    place = place_in(yaml)
    assert (place.kind, place.path, place.fragment) == ("entry", path, fragment)


def test_an_entry_knows_the_keys_that_follow_it() -> None:
    assert place_in("datasets:\n  - |\n    type: y").given == {"type"}


@pytest.mark.parametrize(
    "yaml",
    [
        "# a comment|",
        "adapter: lora # why|",
        "adapter: 'lora' |",
        "datasets: [{path: x} |",
        "special_tokens: {pad_token: x, # eo|",
        "datasets: [{path: x}]|",
        "chat_template_jinja: >\n  some text|",
        "chat_template_jinja: >-\n  text\n  more|",
        "  -|",
        "|lora_r: 1",
    ],
)
def test_no_place_to_offer_anything(yaml: str) -> None:
    assert place_in(yaml).kind == "other"


def test_below_a_long_text_keys_begin_again() -> None:
    assert place_in("jinja: >\n  text\n\n|") == Place("key", given=frozenset({"jinja"}))
    assert place_in("jinja: >\n  text\nseed: |") == Place("value", ("seed",))


# fmt: off
WORDS = st.sampled_from(
    ["datasets", "path", "lora_r", "a", ": ", ":", "- ", "-", "{", "}", "[", "]", ",", "'", '"', "#", " ", "  ", "\t", "\n", "\n  ", "|", ">", "$", "${", "&x", "*x", "<<", "\r", "\x00", "é", "---", "%"]
)
# fmt: on


@settings(max_examples=500, deadline=None)
@given(st.lists(WORDS, max_size=40).map("".join), st.data())
def test_any_text_and_any_cursor_is_a_place(text: str, data: st.DataObject) -> None:
    lines = text.split("\n")
    line = data.draw(st.integers(0, len(lines) - 1))
    column = data.draw(st.integers(0, len(lines[line])))
    place = find_place(lines, line, column)
    assert lines[line][:column].endswith(place.fragment)
