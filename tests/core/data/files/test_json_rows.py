"""JSON to rows: what is accepted, what is broken, and in what words."""

from __future__ import annotations

import json
import math

import pytest

from ft_core.data.files import read_file
from ft_core.errors import DataError


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ('{"a": 1}\n{"a": 2}\n', [{"a": 1}, {"a": 2}]),
        ('{"a": 1}\n{"a": 2}', [{"a": 1}, {"a": 2}]),
        ('{"a": 1}\r\n{"a": 2}\r\n', [{"a": 1}, {"a": 2}]),
        ('\n \t\n{"a": 1}\n\r\n\n{"a": 2}\n\n', [{"a": 1}, {"a": 2}]),
        ('\ufeff{"a": 1}\n', [{"a": 1}]),
        ('\ufeff\n{"a": 1}\n', [{"a": 1}]),
        ('  {"a": 1}  \n', [{"a": 1}]),
        ("{}\n", [{}]),
        ('{"a": "x\\u0000y"}', [{"a": "x\0y"}]),
        ('{"a": "x\u2028y\x85z"}', [{"a": "x\u2028y\x85z"}]),
        ('{"a": "\\ud83d"}', [{"a": "\ud83d"}]),
        ('{"a": "\\ud83d\\ude00"}', [{"a": "😀"}]),
        ('{"a": NaN, "b": [NaN]}', [{"a": None, "b": [None]}]),
        ('{"a": Infinity, "b": -Infinity}', [{"a": math.inf, "b": -math.inf}]),
        ('{"a": 1e400}', [{"a": math.inf}]),
        ('{"a": {"b": 1}, "c": {"b": 2}}', [{"a": {"b": 1}, "c": {"b": 2}}]),
        ('[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
        ('\ufeff\n [\n{"a": 1},\n{"a": NaN}\n]\n', [{"a": 1}, {"a": None}]),
        ("[]", []),
        ("", []),
        ("\n \n", []),
        ("\ufeff", []),
    ],
)
def test_rows(rows_of, content, rows):
    assert rows_of("a.jsonl", content) == rows


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"a": 1 "b": 2}', "not valid JSON (expected ',' at column 9)"),
        ('{"a": ', "not valid JSON (expected value at column 7)"),
        ('{"a": "x', "not valid JSON (unterminated string at column 7)"),
        ('{"a": 1} {"a": 2}', "not valid JSON (extra data at column 10)"),
        ("{'a': 1}", "not valid JSON (expected property name enclosed in double quotes at column 2)"),
        ('{"a": 1, "b": 2, "a": 3}', 'the key "a" stands twice in one object'),
        ('{"m": [{"role": "x", "role": "y"}]}', 'the key "role" stands twice in one object'),
        ('{"a": 1' + "0" * 4300 + "}", "a number has more than 4,300 digits"),
        ('{"a": ' + "[" * 100_000, "lists and objects are nested too deeply"),
        ("[1, 2]", "a row must be an object, not [1, 2]"),
        ('"text"', 'a row must be an object, not "text"'),
        ("NaN", "a row must be an object, not null"),
        (
            '"' + "x" * 50 + '"',
            'a row must be an object, not "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...',
        ),
        (b'{"a": "\xff"}', "not UTF-8 text (byte 8 is 0xff)"),
        (b'{"a": "\xed\xa0\x80"}', "not UTF-8 text (byte 8 is 0xed)"),
        (b'{"a": "x\0"}', "the line holds NUL bytes"),
        (b"\0\0\0\0", "the line holds NUL bytes"),
    ],
)
def test_a_broken_line_leaves_the_others_whole(rows_of, line, why):
    line = line if isinstance(line, bytes) else line.encode()
    rows = rows_of("a.jsonl", b'{"a": 0}\n\n' + line + b'\n{"a": 4}\n')
    assert rows == [{"a": 0}, f"a.jsonl line 3: {why}", {"a": 4}]


def test_an_object_over_several_lines_is_told_from_a_slip(rows_of):
    rows = rows_of("a.json", json.dumps({"a": 1}, indent=1))
    assert rows[0] == "a.json line 1: not valid JSON on one line: an object that goes over several lines"
    assert len(rows) == 3


def test_a_line_that_is_too_long_is_no_row(rows_of, monkeypatch):
    monkeypatch.setattr("ft_core.data.files.lines.MAX_LINE", 2**20)
    long = '{"a": "' + "x" * 2**21 + '"}'
    short = '{"a": "' + "x" * (2**20 - 10) + '"}'
    rows = rows_of("a.jsonl", f'{short}\n{long}\n{{"a": 3}}\n{long}')
    assert [row if isinstance(row, str) else len(row["a"]) if row["a"] != 3 else 3 for row in rows] == [
        2**20 - 10,
        "a.jsonl line 2: the line is longer than 1 MB",
        3,
        "a.jsonl line 4: the line is longer than 1 MB",
    ]


class TestLists:
    def test_a_broken_item_leaves_the_others_whole(self, rows_of):
        assert rows_of("a.json", '[{"a": 1}, 2, {"b": 1, "b": 2}, {"a": 4}]') == [
            {"a": 1},
            "a.json item 2: a row must be an object, not 2",
            'a.json item 3: the key "b" stands twice in one object',
            {"a": 4},
        ]

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ('[\n  {"a": 1},\n  {"a" 2}\n]', "a.json line 3: not valid JSON (expected ':' at column 8)"),
            ('\n\n[{"a": 1}\n{"a": 2}]', "a.json line 4: not valid JSON (expected ',' at column 1)"),
            ('[{"a": 1},]', "a.json line 1: not valid JSON (expected value at column 11)"),
            ('[{"a": 1}', "a.json line 1: not valid JSON (expected ',' at column 10)"),
            ("[", "a.json line 1: not valid JSON (expected value at column 2)"),
            ('[{"a": 1}] x', "a.json line 1: not valid JSON (extra data at column 12)"),
            ("[" * 100_000, "a.json item 1: lists and objects are nested too deeply"),
            (b'[{"a": "\xff"}]', "a.json: not UTF-8 text (byte 9 is 0xff)"),
        ],
    )
    def test_a_mistake_in_the_list_itself_ends_it(self, make_file, content, message):
        with pytest.raises(DataError) as caught:
            list(read_file(make_file("a.json", content)))
        assert caught.value.message == message

    def test_the_rows_before_a_mistake_come_first(self, make_file):
        assert next(read_file(make_file("a.json", '[{"a": 1}, nothing'))) == {"a": 1}


@pytest.mark.parametrize("content", ['{"a": 0}\n\nbroken\n{"a": 2}\n', '[{"a": 0}, 1, {"a": 2}]'])
@pytest.mark.parametrize("start", [0, 1, 2, 3])
def test_reading_may_start_at_any_row(rows_of, content, start):
    whole = rows_of("a.json", content)
    assert len(whole) == 3
    assert rows_of("a.json", content, start) == whole[start:]
