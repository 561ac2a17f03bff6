"""Notebook variables in a config."""

from __future__ import annotations

import enum
from pathlib import Path

import pytest

from ft_core.config import load_config
from ft_core.config.document import read_document
from ft_core.config.variables import escape, substitute

NO_NOTEBOOK = "write the value itself, or $${...} if the text is meant as it stands"


NO_DATA = (
    "use a text, number, list or dict; a data frame or dataset can be the path of a dataset: '- path: $rows'"
)


class Colour(str, enum.Enum):
    RED = "red"


class Scalar:
    """What numpy's scalars look like."""

    shape = ()

    def item(self):
        return 0.5


@pytest.mark.parametrize(
    ("text", "variables", "expected"),
    [
        ("${x}", {"x": 8}, 8),
        ("$x", {"x": 8}, 8),
        ("${x}", {"x": "2e-4 # [text]"}, "2e-4 # [text]"),
        ("${x}", {"x": None}, None),
        ("${x}", {"x": True}, True),
        ("${x}", {"x": ("a", Path("b"))}, ["a", "b"]),
        ("${x}", {"x": {1: {"a": 2}}}, {"1": {"a": 2}}),
        ("${x}", {"x": Scalar()}, 0.5),
        ("r${x}-${y}", {"x": 8, "y": 0.1}, "r8-0.1"),
        ("is-${x}", {"x": True}, "is-true"),
        ("costs 5$ or $x", {"x": 1}, "costs 5$ or $x"),
        ("$${x}", {"x": 1}, "${x}"),
        ("a$${x}b${x}", {"x": 1}, "a${x}b1"),
        ("$$x", {"x": 1}, "$x"),
        ("{{ x }}", {"x": 1}, "{{ x }}"),
        # Nothing in a variable is looked at again.
        ("${x}", {"x": "${y}", "y": 1}, "${y}"),
    ],
)
def test_substitute(text, variables, expected):
    assert substitute(text, variables) == expected


def test_a_subclass_becomes_the_plain_type():
    value = substitute("${x}", {"x": Colour.RED})
    assert (value, type(value)) == ("red", str)


@pytest.mark.parametrize(
    ("text", "variables", "message", "fix"),
    [
        (
            "${leraning}",
            {"learning": 1},
            "there is no variable 'leraning'; did you mean 'learning'?",
            "define leraning in an earlier cell, or write the value itself",
        ),
        ("$x", None, "'${x}' asks for a notebook variable, and there is no notebook", NO_NOTEBOOK),
        ("a-${x}", None, "'${x}' asks for a notebook variable, and there is no notebook", NO_NOTEBOOK),
        (
            "${x + 1}",
            {"x": 1},
            "'${x + 1}' is not the name of a variable",
            "compute the value in a cell, give it a name, and write that name",
        ),
        (
            "a-${x}",
            {"x": [1]},
            "the variable 'x' is a list and cannot stand inside text",
            "write ${x} as the whole value",
        ),
        (
            "${x}",
            {"x": object()},
            "the variable 'x' is an object, which a config cannot hold",
            NO_DATA,
        ),
    ],
)
def test_what_is_wrong_with_a_variable(text, variables, message, fix):
    document = read_document(f"a: 1\nb: '{text}'\n", variables=variables)
    (problem,) = document.problems
    assert (problem.line, problem.column, problem.message, problem.fix) == (2, 4, message, fix)
    assert document.broken == {("b",)}


def test_a_list_that_holds_itself_is_refused():
    loop = []
    loop.append(loop)
    (problem,) = read_document("a: $x", variables={"x": loop}).problems
    assert problem.message == "the variable 'x' is nested too deeply"


@pytest.mark.parametrize(
    "text", ["${x}", "$x", "$$x", "$${x}", "a${b}", "a$$${b}", "5$", "$5", "$$", "{{ $x }}"]
)
def test_escaped_text_comes_back(text):
    assert substitute(escape(text), None) == text


def test_an_unknown_variable_is_the_only_problem_of_its_key(errors):
    text = "base_model: $model\nlearning_rate: 1e-4\ndatasets: [{path: $data, type: completion}]\n"
    assert [(line, message) for line, _, message, _ in errors(text, variables={})] == [
        (1, "there is no variable 'model'"),
        (3, "there is no variable 'data'"),
    ]


def test_a_variable_that_aliases_show_again_is_told_once():
    document = read_document("a: &x $nope\nb: *x\nc: [*x]", variables={})
    assert [(problem.line, problem.message) for problem in document.problems] == [
        (1, "there is no variable 'nope'")
    ]
    assert document.broken == {("a",), ("b",), ("c", 0)}


def test_variables_reach_the_config_typed(required):
    config = load_config(
        required + "lora_r: $rank\nadapter: lora\noutput_dir: out-${rank}\nlora_target_modules: ${layers}\n",
        variables={"rank": 4, "layers": ["q_proj"]},
    )
    assert (config.lora_r, config.output_dir, config.lora_target_modules) == (4, "out-4", ("q_proj",))


def test_a_mapping_is_taken_as_it_is():
    config = load_config(
        {
            "base_model": "a/b",
            "learning_rate": 1,
            "output_dir": "$x",
            "datasets": [{"path": "c/d", "type": "alpaca"}],
        }
    )
    assert config.output_dir == "$x"
    assert load_config(config.to_yaml()) == config
