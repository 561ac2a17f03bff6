"""How problems look: place, source line, caret, fix; and how values and near names are worded."""

from __future__ import annotations

import pickle

import pytest

from ft_core.config import ConfigError, Problem, load_config
from ft_core.config.problems import did_you_mean, listed, nearest, shown, visible


def test_every_problem_is_shown_with_its_line_a_caret_and_its_fix(required):
    text = required + "sequense_len: 512\nlora_r: x\n"
    with pytest.raises(ConfigError) as caught:
        load_config(text, first_line=2)
    assert caught.value.render() == (
        "line 5, column 1: unknown key 'sequense_len'; did you mean 'sequence_len'?\n"
        "    sequense_len: 512\n"
        "    ^\n"
        "fix: write 'sequence_len', or remove it\n"
        "line 6, column 9: 'lora_r' must be a whole number, not 'x'\n"
        "    lora_r: x\n"
        "            ^"
    )
    assert str(caught.value) == caught.value.render()


def test_warnings_are_shown_as_such(required):
    with pytest.raises(ConfigError) as caught:
        load_config(required + "lora_r: 8\nseed: x\n")
    assert caught.value.render().splitlines()[0] == (
        "line 4, column 1: warning: 'lora_r' has no effect: without 'adapter: lora' all weights of the model are trained"
    )


def test_the_error_itself_says_the_first_error_and_how_many_more(required):
    with pytest.raises(ConfigError) as caught:
        load_config(required + "lora_r: 8\nseed: x\nbf16: 3\n")
    assert caught.value.message == "line 5, column 7: 'seed' must be a whole number, not 'x' (and 1 more)"
    assert caught.value.fix == ""


def test_an_error_survives_pickling(required):
    with pytest.raises(ConfigError) as caught:
        load_config(required + "seed: x\n", first_line=7)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert copy.render() == caught.value.render()
    assert copy.problems == caught.value.problems


def test_problems_without_a_place_come_last():
    with pytest.raises(ConfigError) as caught:
        load_config("seed: x\nbf16: 3\n")
    assert [(problem.line, problem.key) for problem in caught.value.problems] == [
        (1, "seed"),
        (2, "bf16"),
        (None, "base_model"),
        (None, "datasets"),
        (None, "learning_rate"),
    ]


def test_a_long_line_is_clipped_around_the_caret():
    error = ConfigError([Problem(1, 501, "x", "bad")], "a" * 500 + "B" + "c" * 500)
    head, line, caret = error.render().splitlines()
    assert head == "line 1, column 501: bad"
    assert line == "    ..." + "a" * 50 + "B" + "c" * 49 + "..."
    assert line[caret.index("^")] == "B"


def test_control_characters_and_wide_ones_keep_the_caret_in_place():
    error = ConfigError([Problem(1, 4, "x", "bad\x1b[2J")], "\x1b字\tB\u202e")
    head, line, caret = error.render().splitlines()
    assert head == "line 1, column 4: bad\\x1b[2J"
    assert line == "    \\x1b字\\tB\\u202e"
    # The wide character takes two columns.
    assert caret == "    " + " " * 8 + "^"


def test_colour_changes_nothing_but_colour():
    error = ConfigError([Problem(1, 1, "x", "bad", "mend it")], "x: 1")
    assert (
        error.render(color=True)
        == "\x1b[31mline 1, column 1: bad\x1b[0m\n    x: 1\n    \x1b[1m^\x1b[0m\nfix: mend it"
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("abc", "'abc'"),
        ("a\nb", "'a\\nb'"),
        ("x" * 80, "'" + "x" * 57 + "...'"),
        (True, "true"),
        (None, "nothing"),
        (2.5, "2.5"),
        ({"a": 1}, "a map"),
        ([1], "a list"),
    ],
)
def test_how_a_value_is_quoted(value, expected):
    assert shown(value) == expected


def test_a_number_too_long_for_python_to_write_is_named():
    assert shown(10**5000) == "a huge number"


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("sequense_len", ["sequence_len", "pad_to_sequence_len"], ["sequence_len"]),
        ("LORA_R", ["lora_r"], ["lora_r"]),
        ("adamw", ["grokadamw", "adamw_torch"], ["adamw_torch"]),
        ("zzz", ["lora_r"], []),
        ("x" * 100_000, ["lora_r"], []),
        ("a", [], []),
    ],
)
def test_nearest(name, options, expected):
    assert nearest(name, options)[:1] == expected


def test_words():
    assert did_you_mean("chatlm", ["chatml", "jinja"]) == "; did you mean 'chatml'?"
    assert did_you_mean("zzz", ["chatml"]) == ""
    assert listed(["a", "b", "c"]) == "a, b or c"
    assert visible("a\u200b\x00é") == "a\\u200b\\x00é"
