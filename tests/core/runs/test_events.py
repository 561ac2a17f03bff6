from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ft_core.runs import Run
from ft_core.runs.events import decode, encode, last_event, read_events


def line(**fields: object) -> bytes:
    return json.dumps({"type": "x", "time": 1.0, **fields}).encode() + b"\n"


def test_no_file_no_events(tmp_path: Path) -> None:
    assert read_events(tmp_path) == ([], 0)


def test_reading_goes_on_from_the_offset(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(line(n=1) + line(n=2))
    events, offset = read_events(tmp_path)
    assert [event["n"] for event in events] == [1, 2]
    assert offset == file.stat().st_size
    assert read_events(tmp_path, offset) == ([], offset)
    with file.open("ab") as out:
        out.write(line(n=3))
    events, _ = read_events(tmp_path, offset)
    assert [event["n"] for event in events] == [3]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=8), min_size=1, max_size=6), st.data())
def test_however_the_bytes_arrive_the_events_are_the_same(texts: list[str], data: st.DataObject) -> None:
    whole = b"".join(encode({"type": "x", "time": 1.0, "text": text}) for text in texts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5)))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "events.jsonl"
        got: list[str] = []
        offset = 0
        for end in [*cuts, len(whole)]:
            file.write_bytes(whole[:end])
            events, offset = read_events(Path(folder), offset)
            got += [event["text"] for event in events]
    assert got == texts


def test_an_unfinished_last_line_waits(tmp_path: Path) -> None:
    first = line(n=1)
    (tmp_path / "events.jsonl").write_bytes(first + b'{"type": "st')
    events, offset = read_events(tmp_path)
    assert ([event["n"] for event in events], offset) == ([1], len(first))


@pytest.mark.parametrize(
    "broken",
    [b'{"type": "st\n', b"3\n", b"[]\n", b"null\n", b"\xff\xfe\n", b'{"time": 1}\n', b'{"type": "x"}\n',
     b'{"type": 1, "time": 1}\n', b'{"type": "x", "time": true}\n', b"[" * 100_000 + b"\n", b"\0\0\0\n"],
)  # fmt: skip
def test_a_broken_line_is_told_and_the_rest_is_read(tmp_path: Path, broken: bytes) -> None:
    first = line(n=1)
    (tmp_path / "events.jsonl").write_bytes(first + broken + line(n=2))
    (one, warning, two), _ = read_events(tmp_path)
    assert (one["n"], two["n"]) == (1, 2)
    message = f"The line at byte {len(first)} of events.jsonl is damaged and was left out."
    assert warning == {"type": "warning", "time": 1.0, "message": message, "fix": ""}


def test_a_shorter_file_is_another_file(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_bytes(line(n=7))
    events, offset = read_events(tmp_path, 10_000)
    assert ([event["n"] for event in events], offset) == ([7], len(line(n=7)))


def test_what_json_has_no_name_for_is_null() -> None:
    event = {"type": "step", "time": 2.0, "loss": float("nan"), "deep": [float("inf"), {"a": -float("inf")}]}
    assert encode(event) == b'{"type": "step", "time": 2.0, "loss": null, "deep": [null, {"a": null}]}\n'
    assert decode(b'{"type": "step", "time": 2.0, "loss": NaN}') == {
        "type": "step",
        "time": 2.0,
        "loss": None,
    }


def test_numpy_numbers_and_paths_are_plain() -> None:
    event = {
        "type": "x",
        "time": 1.0,
        "a": np.float32(0.5),
        "b": np.int64(3),
        "c": np.float64("nan"),
        "d": Path("p/q"),
    }
    assert encode(event) == b'{"type": "x", "time": 1.0, "a": 0.5, "b": 3, "c": null, "d": "p/q"}\n'


@pytest.mark.parametrize("text", ["two\nlines", "\u2028", "\udc80", "ё", "\r", '"'])
def test_any_text_is_one_line_and_comes_back(text: str) -> None:
    encoded = encode({"type": "x", "time": 1.0, "text": text})
    assert encoded.count(b"\n") == 1
    assert decode(encoded) == {"type": "x", "time": 1.0, "text": text}


def test_what_no_event_can_hold_is_a_mistake_of_ours() -> None:
    with pytest.raises(TypeError, match="an event cannot hold a set"):
        encode({"type": "x", "time": 1.0, "bad": {1}})


def test_the_last_event_of_a_type(tmp_path: Path) -> None:
    assert last_event(tmp_path, "error") is None
    (tmp_path / "events.jsonl").write_bytes(
        line(type="error", n=1) + line(type="error", n=2) + line(note="error") + b'{"type": "error'
    )
    found = last_event(tmp_path, "error")
    assert found is not None
    assert found["n"] == 2
    assert last_event(tmp_path, "absent") is None


def test_reading_while_another_process_writes(run: Run, spawn: Callable[..., subprocess.Popen[str]]) -> None:
    """Every event arrives whole, once and in order, whatever the moment of the look."""
    writer = spawn(
        """
        from ft_core.runs import RunWriter
        with RunWriter(directory) as writer:
            for step in range(1, 3001):
                writer.emit("step", step=step, total_steps=3000, text="x" * (step % 500))
        """,
        run,
    )
    seen: list[int] = []
    kinds: list[str] = []
    offset = looks = 0
    while "end" not in kinds:
        assert writer.poll() in (None, 0)
        events, offset = run.events(offset)
        kinds += [event["type"] for event in events]
        seen += [event["step"] for event in events if event["type"] == "step"]
        assert run.state in ("starting", "running", "completed")
        looks += 1
    assert seen == list(range(1, 3001))
    assert set(kinds) == {"step", "end"}
    assert looks > 1
