"""``ft inspect``: rows as training gets them, and what is wrong with the set, in a terminal and in a pipe."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from rich.text import Text

from ft_core.cli.inspect import row_lines
from ft_core.cli.main import main
from ft_core.data import Sample, Span
from ft_core.inspection.look import Looked, LookedSample


def chat(question: str, answer: str) -> str:
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return json.dumps({"messages": turns}) + "\n"


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Return a file of four chats, the last of which is long."""
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(chat(f"Say {number}.", f"{number}!" * number**4) for number in range(1, 5)))
    return file


@pytest.fixture
def config(tiny_model: Path, rows: Path, tmp_path: Path) -> str:
    file = tmp_path / "config.yml"
    file.write_text(
        f"base_model: {tiny_model}\nlearning_rate: 1e-4\nsequence_len: 400\n"
        f"datasets:\n- path: {rows}\n  type: chat_template\n"
    )
    return str(file)


def headings(out: str) -> list[str]:
    return [line.partition(":")[0] for line in out.splitlines() if line.startswith("Row ")]


def test_the_first_rows(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", config]) == 0
    out = capsys.readouterr().out
    assert headings(out) == ["Row 1", "Row 2", "Row 3"]
    lines = out.splitlines()
    assert lines[2] == "  ┊ masked   user       Say·1.  (role user is not in roles_to_train)"
    assert lines[5] == "  ┃ trained  assistant  1!  (role assistant is in roles_to_train)"
    assert "\x1b" not in out


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (["--rows", "1"], ["Row 1"]),
        (["--row", "3"], ["Row 3"]),
        (["--row", "2", "--rows", "2"], ["Row 2", "Row 3"]),
        (["--row", "4", "--rows", "2"], ["Row 4"]),
        (["--find", "too_long"], ["Row 4"]),
        (["--find", "too-long", "--rows", "1"], ["Row 4"]),
        (["--find", "longest", "--rows", "2"], ["Row 4", "Row 3"]),
        (["--find", "random"], ["Row 4", "Row 3", "Row 2"]),
    ],
)
def test_which_rows(
    config: str, options: list[str], shown: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", config, *options]) == 0
    assert headings(capsys.readouterr().out) == shown


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--row", "5"], "error: There is no row 5.\nfix: The last one is 4.\n"),
        (["--find", "double_bos"], "error: No row is 'double_bos'.\n"),
        (
            ["--find", "to_long"],
            "error: There is no flag 'to_long'; did you mean 'too_long'?\nfix: The flags are broken,",
        ),
    ],
)
def test_what_is_not_there(
    config: str, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", config, *options]) == 1
    assert capsys.readouterr().err.startswith(message)


def test_a_row_is_counted_from_one(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["inspect", config, "--row", "0"])
    assert "invalid number value: '0'" in capsys.readouterr().err


def test_ids_stand_below_their_text(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", config, "--row", "1", "--ids"]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = next(number for number, line in enumerate(lines) if "Say·1." in line)
    assert [word.isdigit() for word in lines[at + 1].split()[1:]] == [True] * 4


def test_a_key_is_an_option(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", config, "--row", "4", "--sequence-len", "4000"]) == 0
    assert "Too long" not in capsys.readouterr().out


def test_a_broken_row_says_why(config: str, rows: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows.write_text("not json\x1b[31m\n" + chat("Hi", "Ho"))
    assert main(["inspect", config]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Row 1: ")
    assert "line 1: not valid JSON" in lines[0]
    assert headings("\n".join(lines)) == ["Row 1", "Row 2"]


def test_findings_worst_first(config: str, rows: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with rows.open("a") as file:
        file.write("not json\n")
    assert main(["inspect", config, "--findings"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("5 rows; 4 samples, 3 kept; ")
    assert lines[1].startswith("✗ broken      Broken, 1 row (20.0%): ")
    assert lines[2] == "              rows 5"
    [too_long] = [
        number
        for number, line in enumerate(lines)
        if line.startswith("? suspicious  Too long, 1 row (20.0%): ")
    ]
    assert lines[too_long + 1] == "              rows 4"


@pytest.mark.parametrize(("text", "status"), [("not json\n", 1), ("", 0)])
def test_strict_fails_where_rows_are_broken_or_wrong(
    config: str, rows: Path, text: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with rows.open("a") as file:
        file.write(text)
    assert main(["inspect", config, "--findings", "--strict"]) == status


def test_nothing_wrong(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", config, "--findings", "--strict", "--sequence-len", "4096"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert not any(line.startswith(("✗", "!")) for line in lines)


def lines_of(text: str) -> list[Text]:
    """Return the lines of a sample of two tokens: `text` masked, `text` trained."""
    spans = (
        Span(0, 1, "user", 0, False, "masked: role user", text),
        Span(1, 2, "assistant", 1, True, "trained: <b>", text),
    )
    sample = Sample(np.array([7, 8]), np.array([-100, 8]), spans, 0, "rows.jsonl")
    looked = Looked(0, 0, 0, {}, (LookedSample(sample, None, ("double_bos",)),))
    return list(row_lines(looked, ids=False, words_of=lambda ids: [text for _ in ids]))


def test_a_terminal_tells_trained_from_masked_with_and_without_colour() -> None:
    for options, underlined in (({"no_color": True}, "\x1b[4m"), ({}, "\x1b[4;32m")):
        out = io.StringIO()
        console = Console(file=out, force_terminal=True, color_system="standard", highlight=False, **options)  # type: ignore[arg-type]
        for line in lines_of("Hi"):
            console.print(line)
        _, _, masked, trained = out.getvalue().splitlines()
        assert "┊ masked" in masked
        assert "┃ trained" in trained
        assert underlined + "Hi" in trained
        assert "\x1b[4" not in masked


def test_hostile_text_commands_no_terminal() -> None:
    lines = lines_of("\x1b]0;title\x07\u202e[red]\ud83d\n")
    assert [line.plain for line in lines[:2]] == ["Row 1: 2 tokens, 1 trained", "  Double BOS"]
    assert "␛]0;title␇\u2039U+202E\u203a[red]\u2039U+D83D\u203a⏎" in lines[2].plain
    "".join(line.plain for line in lines).encode()
