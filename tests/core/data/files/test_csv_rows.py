"""CSV to rows: names, types of columns, and what is broken."""

from __future__ import annotations

import pytest

from ft_core.data.files import count_file, read_file
from ft_core.errors import DataError


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("q,a\none,two\n", [{"q": "one", "a": "two"}]),
        ("\ufeffq,a\r\none,two\r\n", [{"q": "one", "a": "two"}]),
        ("q;a\none,1;two\n", [{"q": "one,1", "a": "two"}]),
        ("q\ta\none\ttwo\n", [{"q": "one", "a": "two"}]),
        ('q,a\n"one\ntwo","say ""hi"""\n', [{"q": "one\ntwo", "a": 'say "hi"'}]),
        ("q,a\n\none,two\n\n", [{"q": "one", "a": "two"}]),
        ("q,a\none\n", [{"q": "one", "a": None}]),
        ("q,a\none,\n,two\n", [{"q": "one", "a": None}, {"q": None, "a": "two"}]),
        (",q\n0,one\n", [{"Unnamed: 0": 0, "q": "one"}]),
        ("q\nNA\nNone\nnan\nnull\n", [{"q": "NA"}, {"q": "None"}, {"q": "nan"}, {"q": "null"}]),
        ("q,a\n", []),
        ("", []),
        ("\n\n", []),
    ],
)
def test_rows(rows_of, make_file, content, rows):
    assert rows_of("a.csv", content) == rows
    assert count_file(make_file("a.csv", content)) == len(rows)


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1", "-20", "0"], [1, -20, 0]),
        (["1", "", "3"], [1, None, 3]),
        (["1", "2.5"], [1.0, 2.5]),
        (["1e3", "-0.5"], [1000.0, -0.5]),
        (["true", "False", ""], [True, False, None]),
        (["TRUE", "no"], ["TRUE", "no"]),
        (["1", "two"], ["1", "two"]),
        (["007", "1"], ["007", "1"]),
        (["+1", "1"], ["+1", "1"]),
        (["1,5", "2"], ["1,5", "2"]),
        ([" 1", "2"], [" 1", "2"]),
        (["1" * 18, "1"], [int("1" * 18), 1]),
        (["1" * 19], [float("1" * 19)]),
        (["", ""], [None, None]),
    ],
)
def test_a_column_is_of_one_type(rows_of, cells, values):
    content = "n,x\n" + "".join(f'"{cell}",x\n' for cell in cells)
    found = [row["n"] for row in rows_of("a.csv", content)]
    assert (found, [type(value) for value in found]) == (values, [type(value) for value in values])


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("4,5,6", "3 cells, and the first line names 2 columns"),
        ('"a"b,2', "not valid CSV (',' expected after '\"')"),
        (b"\xe9,2", "not UTF-8 text (a byte is 0xe9)"),
        (b"a\0,2", "a cell holds NUL bytes"),
    ],
)
def test_a_broken_record_leaves_the_others_whole(rows_of, line, why):
    line = line if isinstance(line, bytes) else line.encode()
    content = b'q,n\n"two\nlines",1\n' + line + b"\nlast,3\n"
    found = rows_of("a.csv", content)
    assert found == [{"q": "two\nlines", "n": 1}, f"a.csv line 4: {why}", {"q": "last", "n": 3}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('q,a\none,"two\nthree,four\n', "a.csv line 2: a quote is opened here and never closed."),
        ("q,a,q\n1,2,3\n", "a.csv line 1: two columns are called 'q'."),
        ('{"a": 1}\n{"a": 2}\n', "a.csv: this is JSON, not what its name says."),
        ('[{"a": 1}]', "a.csv: this is JSON, not what its name says."),
        ('q,"a"b\n1,2\n', "a.csv line 1: not valid CSV (',' expected after '\"')"),
    ],
)
def test_a_file_that_is_no_table_is_refused(make_file, content, message):
    file = make_file("a.csv", content)
    with pytest.raises(DataError) as caught:
        list(read_file(file))
    assert caught.value.message == message


def test_a_cell_may_be_long(rows_of):
    assert [len(row["q"]) for row in rows_of("a.csv", "q,n\n" + "x" * 300_000 + ",1\n")] == [300_000]


@pytest.mark.parametrize("start", [0, 1, 2, 3])
def test_reading_may_start_at_any_row(rows_of, start):
    content = "q,n\none,1\n1,2,3\nthree,3\n"
    assert rows_of("a.csv", content, start) == rows_of("a.csv", content)[start:]


def test_a_tsv_is_read_too(rows_of):
    assert rows_of("a.tsv", "q\ta\none\ttwo\n") == [{"q": "one", "a": "two"}]
