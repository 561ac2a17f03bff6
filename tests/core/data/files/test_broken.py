"""What is told of the rows that were left out."""

from __future__ import annotations

from ft_core.data.files import Skipped


def test_nothing_is_told_of_nothing():
    assert Skipped().sentences() == ()


def test_all_are_named_where_they_are_few():
    skipped = Skipped()
    skipped.add("a.jsonl", "a.jsonl line 2: no")
    assert skipped.sentences() == ("1 broken row is left out (broken_rows is skip): a.jsonl line 2: no",)
    skipped.add("b.jsonl", "b.jsonl line 5: no")
    assert skipped.sentences() == (
        "2 broken rows are left out (broken_rows is skip): a.jsonl line 2: no; b.jsonl line 5: no",
    )


def test_ten_are_named_and_all_counted():
    skipped = Skipped()
    for number in range(1, 1235):
        skipped.add("a.jsonl", f"line {number}")
    assert (skipped.total, skipped.counts) == (1234, {"a.jsonl": 1234})
    assert skipped.first == [f"line {number}" for number in range(1, 11)]
    assert skipped.sentences()[0].startswith("1,234 broken rows are left out")
    assert skipped.sentences()[0].endswith("; line 10 ... and 1,224 more")
