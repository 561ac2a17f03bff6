"""Configs as people write them, broken as people break them: a valid config or problems with a place, quickly; nothing else."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ft_core.config import Config, ConfigError, load_config

FILES = sorted((Path(__file__).parent / "realistic").glob("*.yml"))
CONFIGS = [file.read_text("utf-8") for file in FILES]
CASES = 2000
SECONDS = 0.2
VARIABLES = {"rate": 1e-4, "name": "x", "many": [1, {"a": 2}], "odd": object()}

VALUES = [
    *(
        "",
        "~",
        "true",
        "no",
        "3",
        "-1",
        "0.5",
        "1e-4",
        "1e999",
        ".nan",
        "0x1F",
        "1:30:00",
        "2024-01-01",
        "text",
    ),
    *(
        "[]",
        "{}",
        "[a, b]",
        "[1, [2, 3]]",
        "{a: 1}",
        "{type: {type: 1}}",
        "'quoted'",
        '"\\x41"',
        "|\n    block",
        ">-\n  folded",
    ),
    *(
        "$rate",
        "${name}",
        "${unknown}",
        "$many",
        "${odd}",
        "a ${rate} b",
        "*more",
        "&a x",
        "!!int ''",
        "!!bool x",
        "!!set {a}",
    ),
    *(
        "https://host/x",
        "./no/where.jsonl",
        "9" * 500,
        "é字😀",
        "%",
        "@x",
        "{{ x }}",
        "sharegpt",
        "sharegpt.load_role",
        "auto",
    ),
]
CONTROLS = ["\x00", "\x07", "\x1b[31m", "\t", "\u202e", "\u2028", "\x85", "\ufeff", "\ud800", "\r", "\u00a0"]


def delete_line(lines: list[str], at: int, chance: random.Random) -> None:
    del lines[at]


def repeat_line(lines: list[str], at: int, chance: random.Random) -> None:
    lines.insert(chance.randint(0, len(lines)), lines[at])


def move_line(lines: list[str], at: int, chance: random.Random) -> None:
    lines.insert(chance.randint(0, len(lines) - 1), lines.pop(at))


def indent(lines: list[str], at: int, chance: random.Random) -> None:
    lines[at] = " " * chance.randint(1, 5) + lines[at]


def outdent(lines: list[str], at: int, chance: random.Random) -> None:
    lines[at] = lines[at].lstrip(" ")


def swap_value(lines: list[str], at: int, chance: random.Random) -> None:
    lines[at] = re.sub(
        r"(:|-)( .*)?$", lambda found: f"{found[1]} {chance.choice(VALUES)}", lines[at], count=1
    )


def misspell(lines: list[str], at: int, chance: random.Random) -> None:
    line = lines[at]
    if len(line) > 2:
        place = chance.randrange(len(line) - 1)
        lines[at] = line[:place] + line[place + 1] + line[place] + line[place + 2 :]


def drop_character(lines: list[str], at: int, chance: random.Random) -> None:
    place = chance.randrange(len(lines[at]) + 1)
    lines[at] = lines[at][:place] + lines[at][place + 1 :]


def insert_control(lines: list[str], at: int, chance: random.Random) -> None:
    place = chance.randrange(len(lines[at]) + 1)
    lines[at] = lines[at][:place] + chance.choice(CONTROLS) + lines[at][place:]


def truncate(lines: list[str], at: int, chance: random.Random) -> None:
    lines[at:] = [lines[at][: chance.randrange(len(lines[at]) + 1)]]


def insert_line(lines: list[str], at: int, chance: random.Random) -> None:
    other = chance.choice(CONFIGS).splitlines()
    lines.insert(at, chance.choice(other))


MUTATIONS = [
    delete_line,
    repeat_line,
    move_line,
    indent,
    outdent,
    swap_value,
    swap_value,
    misspell,
    drop_character,
    insert_control,
    truncate,
    insert_line,
]


def broken(text: str, mutations: list[int], seed: int) -> str:
    chance = random.Random(seed)
    lines = text.splitlines()
    for number in mutations:
        if lines:
            MUTATIONS[number](lines, chance.randrange(len(lines)), chance)
    return "\n".join(lines)


def check(error: ConfigError, text: str) -> None:
    """Check that each problem is one sentence, with a place in the text or a reason to have none."""
    assert any(problem.severity == "error" for problem in error.problems)
    assert error.render()
    count = len(re.split("\r\n|[\n\r\x85\u2028\u2029]", text))
    for problem in error.problems:
        assert problem.message
        assert problem.message.isprintable()
        if problem.line is None:
            assert re.search(r"^'\w+' is missing|^the config is empty|^no '?\w+'?", problem.message), problem
        else:
            assert 1 <= problem.line <= count
            assert problem.column is not None
            assert problem.column >= 1


@pytest.mark.parametrize("text", CONFIGS, ids=[file.stem for file in FILES])
def test_a_realistic_config_is_understood(text):
    """Nothing in it is unknown: what is refused is not supported yet, and says so."""
    try:
        load_config(text, variables=VARIABLES)
    except ConfigError as error:
        told = [problem.message for problem in error.problems if problem.severity == "error"]
        assert [message for message in told if "not supported" not in message] == []


def test_what_is_told_has_no_character_that_a_terminal_obeys():
    with pytest.raises(ConfigError) as caught:
        load_config(CONFIGS[0] + 'model_type: "Llama\\eForMasks\\u202e"\n', variables=VARIABLES)
    assert "'model_type' cannot be 'Llama\\x1bForMasks\\u202e'" in caught.value.problems[-1].message


@settings(
    max_examples=CASES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    st.sampled_from(CONFIGS),
    st.lists(st.integers(0, len(MUTATIONS) - 1), min_size=1, max_size=5),
    st.integers(0, 1 << 32),
)
def test_a_broken_config(text, mutations, seed):
    given_text = broken(text, mutations, seed)
    config, error, seconds = load(given_text, check_paths=bool(seed % 2))
    if seconds >= SECONDS:
        # Once may be the machine's fault, or that of what was imported on the way.
        *_, seconds = load(given_text, check_paths=bool(seed % 2))
    assert seconds < SECONDS
    if error is not None:
        check(error, given_text)
    if config is not None:
        assert load_config(config.to_yaml(), check_paths=False) == config


def load(text: str, *, check_paths: bool) -> tuple[Config | None, ConfigError | None, float]:
    """Return the config of `text` or what is wrong with it, and the processor's seconds that it took."""
    start = time.process_time()
    try:
        config, error = load_config(text, variables=VARIABLES, check_paths=check_paths), None
    except ConfigError as raised:
        config, error = None, raised
    return config, error, time.process_time() - start
