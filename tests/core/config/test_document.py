"""YAML text: what is no YAML, what YAML 1.1 makes of values, aliases, limits."""

from __future__ import annotations

import time

import pytest

from ft_core.config import ConfigError, load_config
from ft_core.config.document import MAX_BYTES, Place, read_document

ALIGN = "align the keys, or put the value in quotes"
SECOND_COLON = "a second ':' cannot stand here: a line above is indented differently, or the value holds ': '"
INDENT = ("the indentation does not match the lines above", "align it with the lines it belongs to")
TAB = ("a tab indents this line; YAML allows only spaces", "use spaces")
QUOTES = "put the value in quotes"


@pytest.mark.parametrize(
    ("text", "line", "column", "message", "fix"),
    [
        ("seed:1\na: 2", 1, 1, "a space is missing after the ':'", "write 'key: value'"),
        ("a: 1\nfoo bar\nb: 1", 2, 1, "this line has no ':' after its key", "write 'key: value'"),
        ("a: b: c", 1, 5, SECOND_COLON, ALIGN),
        ("a: 1\n  b: 2", 2, 4, SECOND_COLON, ALIGN),
        ("\ta: 1", 1, 1, *TAB),
        ("a:\n\t- b: 1", 2, 1, *TAB),
        ("a:\n  \tb: 1", 2, 3, *TAB),
        ("a: 'b\nc: 1\n", 1, 4, "the quote that opens here is never closed", "close the quote"),
        (
            'a: "\\q"',
            1,
            6,
            "this backslash means nothing inside double quotes",
            "use single quotes, or write two backslashes",
        ),
        ("a: @b", 1, 4, "a value cannot begin with '@'", QUOTES),
        ("a: %b", 1, 4, "a value cannot begin with '%'", QUOTES),
        ("a: *", 1, 4, "a value cannot begin with '*'", QUOTES),
        ("a: [b, c\nd: 1", 1, 4, "the '[' that opens here is never closed", "close it with ']'"),
        ("a: {b: 1", 1, 4, "the '{' that opens here is never closed", "close it with '}'"),
        ("a: [b c: d}", 1, 11, "a ',' or the closing ']' is missing before this", "add ',' or ']'"),
        ("a: [${b}]", 1, 6, "the ']' of this list or map is missing here", 'write "${name}" in quotes'),
        ("a:\n  b: 1\n c: 2", 3, 2, *INDENT),
        ("a: 1\n- b", 2, 1, *INDENT),
        ("a: 1\n---\nb: 1", 2, 1, "a second YAML document begins here", "remove the '---'"),
        (
            "a: \x07",
            1,
            4,
            "the character U+0007 is not allowed in YAML",
            "remove it; it may have come with a copy from another program",
        ),
        (
            "a: \ud800",
            1,
            4,
            "the character U+D800 is not allowed in YAML",
            "remove it; it may have come with a copy from another program",
        ),
        (
            "a: |x",
            1,
            5,
            "this is not YAML: while scanning a block scalar expected chomping or indent...",
            "",
        ),
        (
            "a: *b",
            1,
            4,
            "'*b' names no '&b' above it",
            "put the value in quotes if the '*' is meant as text",
        ),
        ("a: &b [*b]", 1, 8, "'*b' stands inside the value that it names", "write the value itself"),
        ("a: !!python/name:os.system x", 1, 4, None, "remove the tag"),
        ("a: !mine 1", 1, 4, "the tag '!mine' is not supported", "remove the tag"),
        ("a: !mine [1]", 1, 4, "the tag '!mine' is not supported", "remove the tag"),
        ("a: 2024-13-45", 1, 4, "'2024-13-45' is not a valid value", "put it in quotes if it is text"),
        ("a: !!int ''", 1, 4, "'' is not a valid value", "put it in quotes if it is text"),
        ("a: !!float ''", 1, 4, "'' is not a valid value", "put it in quotes if it is text"),
        ("a: !!bool maybe", 1, 4, "'maybe' is not a valid value", "put it in quotes if it is text"),
        ("a: !!timestamp now", 1, 4, "'now' is not a valid value", "put it in quotes if it is text"),
        ("a: 1" + ":10" * 199 + ".5", 1, 4, None, "put it in quotes if it is text"),
        ("? [a]\n: 1", 1, 3, "a key must be plain text", "put it in quotes; braces begin a map"),
        ("<<: 5", 1, 5, "'<<' must be given a map, such as '*name'", "name a map with '&name' above"),
        ("a: 1\nb: 2\na: 3", 3, 1, "'a' is given twice, first on line 1", "remove one of the two"),
        ("x: {a: 1, a: 2}", 1, 11, "'a' is given twice, first on line 1", "remove one of the two"),
    ],
)
def test_what_is_wrong_with_a_text(text, line, column, message, fix):
    (problem,) = read_document(text).problems
    assert (problem.line, problem.column, problem.fix) == (line, column, fix)
    if message is not None:
        assert problem.message == message


def test_no_tag_names_a_python_object():
    (problem,) = read_document("a: !!python/name:os.system x").problems
    assert problem.message == "the tag 'tag:yaml.org,2002:python/name:os.system' is not supported"


def test_values_are_those_of_yaml_1_1():
    text = "{a: on, b: no, c: 2e-4, d: 2.0e-4, e: 0x10, f: ~, g: '1', h: 1_000, on: 1, 2: 3}"
    assert read_document(text).data == {
        "a": True,
        "b": False,
        "c": "2e-4",
        "d": 2.0e-4,
        "e": 16,
        "f": None,
        "g": "1",
        "h": 1000,
        # Keys are text, as they were written.
        "on": 1,
        "2": 3,
    }


def test_places_count_from_one_and_from_the_first_line():
    document = read_document("a: 1\nb:\n  - {c: x}\n", first_line=10)
    assert document.values == {
        (): Place(10, 1),
        ("a",): Place(10, 4),
        ("b",): Place(12, 3),
        ("b", 0): Place(12, 5),
        ("b", 0, "c"): Place(12, 9),
    }
    assert document.keys == {("a",): Place(10, 1), ("b",): Place(11, 1), ("b", 0, "c"): Place(12, 6)}


def test_anchors_aliases_and_merges():
    text = "x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\nz: {<<: [*x, *y], c: 5}\nw: *x\nv: {c: 0, <<: *y}\n"
    document = read_document(text)
    assert document.problems == []
    assert document.data == {
        "x": {"a": 1, "b": 2},
        "y": {"b": 3, "c": 4},
        "z": {"a": 1, "b": 2, "c": 5},
        "w": {"a": 1, "b": 2},
        "v": {"b": 3, "c": 0},
    }
    # An alias makes a copy, so that an override of one changes no other.
    document.data["w"]["a"] = 9
    assert document.data["x"]["a"] == 1


def test_a_quoted_merge_sign_is_an_ordinary_key():
    assert read_document("'<<': 1").data == {"<<": 1}


NEARLY_TOO_LONG = MAX_BYTES - 1000
VALID = "base_model: a/b\nlearning_rate: 1\ndatasets: [{path: a/b, type: alpaca}]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a: &a [x, x]\n"
            + "".join(
                f"{new}: &{new} [*{old}, *{old}, *{old}]\n"
                for old, new in zip("abcdefghijk", "bcdefghijkl", strict=True)
            ),
            "the config holds more than 10,000 values once its aliases are expanded",
        ),
        (
            "a: &a {b: 1, c: 2}\nd: {" + ", ".join(f"k{n}: {{<<: *a}}" for n in range(4000)) + "}",
            "the config holds more than 10,000 values once its aliases are expanded",
        ),
        ("- x\n" * 30_000, "the config holds more than 10,000 values"),
        ("[" * 100_000, "the config is nested deeper than 50 levels"),
        ("- " * 100_000, "the config is nested deeper than 50 levels"),
        ("? " * 100_000, "the config is nested deeper than 50 levels"),
        ("a: " + "{a: " * 100_000, "the config is nested deeper than 50 levels"),
        (
            "".join(" " * level + "a:\n" for level in range(1000)),
            "the config is nested deeper than 50 levels",
        ),
        ("a: " + "x" * MAX_BYTES, "the config is longer than 1 MB"),
        ("# x\n" * 2_500_000, "the config is longer than 1 MB"),
        ("a: " + "9" * NEARLY_TOO_LONG, f"'{'9' * 57}...' is not a valid value"),
        ("a: 0x" + "f" * NEARLY_TOO_LONG, f"'0x{'f' * 55}...' is not a valid value"),
        ("a: 1" + ":10" * (NEARLY_TOO_LONG // 3), f"'1{':10' * 18}:1...' is not a valid value"),
        ("a: 1." + "9" * NEARLY_TOO_LONG, f"'1.{'9' * 55}...' is not a valid value"),
    ],
    ids=[
        "aliases",
        "merges",
        "values",
        "brackets",
        "dashes",
        "questions",
        "braces",
        "indents",
        "scalar",
        "comments",
        "int",
        "hex",
        "sexagesimal",
        "float",
    ],
)
def test_limits_hold_and_are_found_at_once(text, message):
    start = time.process_time()
    (problem,) = read_document(text).problems
    assert time.process_time() - start < 1
    assert problem.message == message


@pytest.mark.parametrize(
    ("text", "count", "line", "message"),
    [
        ("".join(f"lora_r{n}: 1\n" for n in range(4900)), 4900, 4, "unknown key 'lora_r0'"),
        ("seed: 1\n" * 4900, 4899, 5, "'seed' is given twice, first on line 4"),
        ("? " + "k" * NEARLY_TOO_LONG + "\n: 1", 1, 4, f"unknown key '{'k' * 57}...'"),
        ("test_datasets:\n" + "- {path: 1}\n" * 3000, 6000, 5, "'test_datasets[0]' has no 'type'"),
    ],
    ids=["unknown keys", "repetitions", "a huge key", "entries"],
)
def test_a_text_of_mistakes_is_read_at_once(text, count, line, message):
    start = time.process_time()
    with pytest.raises(ConfigError) as caught:
        load_config(VALID + text)
    assert caught.value.render()
    assert time.process_time() - start < 1
    first = caught.value.problems[0]
    assert (len(caught.value.problems), first.line) == (count, line)
    assert first.message.partition(";")[0] == message


@pytest.mark.parametrize(
    "line",
    [
        "# x\n" * (NEARLY_TOO_LONG // 4 - 50),
        "output_dir: '" + "x y " * (NEARLY_TOO_LONG // 4 - 50) + "'",
        "chat_template_jinja: |\n" + "  some words\n" * (NEARLY_TOO_LONG // 13 - 50),
    ],
    ids=["comments", "quotes", "block"],
)
def test_the_longest_texts_are_read_in_seconds(line):
    start = time.process_time()
    load_config(VALID + line, check_paths=False)
    assert time.process_time() - start < 2


def test_a_text_of_nothing_has_no_data_and_no_problem():
    for text in ("", "  \n", "# only a remark\n", "---\n"):
        assert read_document(text).data is None
        assert read_document(text).problems == []
