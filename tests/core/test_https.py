"""Addresses of well-known pages, and the files that they show."""

from __future__ import annotations

import doctest

import pytest

from ft_core import https


@pytest.mark.parametrize(
    ("page", "raw"),
    [
        (
            "https://huggingface.co/datasets/org/name/blob/main/a.jsonl",
            "https://huggingface.co/datasets/org/name/resolve/main/a.jsonl",
        ),
        ("https://example.org/org/repo/blob/main/a.yml", None),
        ("https://github.com/org/repo", None),
    ],
)
def test_the_file_that_a_page_shows(page: str, raw: str | None) -> None:
    assert https.raw_form(page) == raw


def test_the_example() -> None:
    assert doctest.testmod(https) == (0, 1)
