"""The Python half of the inspector: what it answers, in which order, and what ends it."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import psutil
import pytest

from ft_core.config import load_config
from ft_core.data import load_samples
from ft_core.errors import DataError, FtError, ModelError
from ft_core.inspection import inspection as engine
from ft_core.models import load_tokenizer
from ft_core.models.tokenizer import pad_token_id
from ft_core.train.batches import make_rows
from ft_jupyter.widgets.inspector import InspectorView, open_inspector
from ft_jupyter.widgets.inspector import view as views
from ft_jupyter.widgets.inspector.losses import Losses
from ft_jupyter.widgets.inspector.messages import PAGE_TOKENS

MOST_BYTES = 256 * 1024


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.005)


class Page:
    """A page of a view: it asks, and waits for the reply."""

    def __init__(self, view: InspectorView) -> None:
        self.view = view
        self.numbers = itertools.count(1)

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [content for content, _ in self.view.comm.custom]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [content for content in self.messages if content["type"] == kind]

    def say(self, kind: str, **content: Any) -> int:
        number = next(self.numbers)
        self.view.comm.receive({"type": kind, "request": number, **content})
        return number

    def reply(self, number: int) -> tuple[dict[str, Any], list[bytes]]:
        def found() -> list[tuple[dict[str, Any], list[bytes]]]:
            return [each for each in self.view.comm.custom if each[0].get("request") == number]

        until(found)
        [(content, buffers)] = found()
        return content, buffers

    def ask(self, kind: str, **content: Any) -> tuple[dict[str, Any], list[bytes]]:
        return self.reply(self.say(kind, **content))

    def ready(self) -> Page:
        until(lambda: [state for state in self.of("state") if state["status"] == "ready"])
        return self

    def counted(self) -> dict[str, Any]:
        """Return the last progress once all rows were counted."""
        self.view.comm.receive({"type": "hello"})
        self.view.comm.receive({"type": "scan", "action": "start"})
        until(lambda: [each for each in self.of("progress") if each["jobs"]["scan"]["state"] == "done"])
        return self.of("progress")[-1]


@pytest.fixture
def rows(dictionary: Path, tmp_path: Path) -> Path:
    """Return a file of seven chats."""
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b"".join(dictionary.read_bytes().splitlines(keepends=True)[:7]))
    return file


@pytest.fixture
def yaml(yaml: str, dictionary: Path, rows: Path) -> str:
    return yaml.replace(str(dictionary), str(rows))


@pytest.fixture
def opened() -> Iterator[Callable[[str], Page]]:
    """Return a function that opens an inspector of a YAML."""
    views: list[InspectorView] = []

    def open_(text: str, **options: Any) -> Page:
        views.append(open_inspector(load_config(text), **options))
        return Page(views[-1])

    yield open_
    for view in views:
        view.close()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Let no tokenizer be loaded before the event is set."""
    event = threading.Event()

    def load(config: Any) -> Any:
        event.wait(60)
        return load_tokenizer(config)

    monkeypatch.setattr(engine, "open_tokenizer", load)
    yield event
    event.set()


def int32(buffer: bytes) -> list[int]:
    return np.frombuffer(buffer, "<i4").tolist()


def test_rows_are_listed_before_the_tokenizer_is_loaded(
    opened: Callable[[str], Page], yaml: str, rows: Path, gate: threading.Event
) -> None:
    page = opened(yaml)
    page.view.comm.receive({"type": "hello"})
    [state] = page.of("state")
    about = {"path": str(rows), "type": "chat_template", "split": "train", "purpose": "train", "rows": 7}
    assert state["datasets"] == [about]
    assert (state["status"], state["generation"], state["rows"]) == ("opening", 1, 7)
    assert (state["tokenizer"], state["sequence_len"], state["packing"]) == ("tiny-llama", 256, False)
    assert (state["title"], state["chat"], state["models"]) == (str(rows), True, ["base"])
    assert "sequence_len" in [knob["key"] for knob in state["knobs"]]

    content, _ = page.ask("list", filter=None, search=False, start=2, stop=4)
    assert (content["total"], content["complete"], content["start"], content["generation"]) == (7, True, 2, 1)
    assert [(row["place"], row["number"], row["dataset"]) for row in content["rows"]] == [
        (2, 3, 0),
        (3, 4, 0),
    ]
    assert content["rows"][0]["text"] == 'Define "abdication".'
    assert page.of("state") == [state]

    gate.set()
    page.ready()


def test_of_samples_asked_for_in_a_hurry_only_the_newest_is_answered(
    opened: Callable[[str], Page], yaml: str, gate: threading.Event
) -> None:
    page = opened(yaml)
    numbers = [page.say("sample", place=place, sample=0) for place in (1, 2, 3)]
    parity = page.say("parity", place=0)
    gate.set()
    page.reply(parity)
    assert page.reply(numbers[2])[0]["place"] == 3
    assert [content["request"] for content in page.of("sample")] == [numbers[2]]


def test_a_tokenizer_that_is_not_there_is_a_sentence(
    opened: Callable[[str], Page], yaml: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(_: object) -> None:
        raise ModelError("There is no tokenizer.", "Name one.")

    monkeypatch.setattr(engine, "open_tokenizer", load)
    page = opened(yaml)
    content, _ = page.ask("sample", place=0, sample=0)
    assert (content["type"], content["message"], content["fix"]) == (
        "error",
        "There is no tokenizer.",
        "Name one.",
    )
    [state] = page.of("state")
    assert (state["status"], state["message"], state["fix"]) == (
        "failed",
        "There is no tokenizer.",
        "Name one.",
    )
    with pytest.raises(FtError, match="There is no tokenizer"):
        page.view.wait()


def test_a_dataset_that_is_not_there_is_an_error_of_the_cell(yaml: str, rows: Path) -> None:
    config = load_config(yaml)
    rows.unlink()
    with pytest.raises(DataError):
        open_inspector(config)


@pytest.mark.parametrize("extra", ["", "pad_to_sequence_len: true\n", "train_on_inputs: true\n"])
def test_the_numbers_are_byte_for_byte_what_a_training_step_gets(
    opened: Callable[[str], Page], yaml: str, extra: str
) -> None:
    text = yaml + "shuffle_merged_datasets: false\n" + extra
    config = load_config(text)
    tokenizer = load_tokenizer(config)
    samples = load_samples(config, tokenizer).train
    trained = make_rows(config, samples, samples.lengths, pad_token_id=pad_token_id(tokenizer))
    page = opened(text)
    for place, sample in enumerate(samples):
        batch = trained.collate([sample])
        content, (ids, labels, positions, documents) = page.ask("sample", place=place, sample=0)
        count = content["count"]
        assert count == content["length"] == len(sample) == int(batch["attention_mask"].sum())
        assert ids == batch["input_ids"][0, :count].numpy().astype("<i4").tobytes()
        assert labels == batch["labels"][0, :count].numpy().astype("<i4").tobytes()
        assert (int32(positions), int32(documents)) == (list(range(count)), [1] * count)


@pytest.mark.parametrize("kind", ["chat_template", "completion"])
@pytest.mark.parametrize("extra", ["pad_to_sequence_len: true\n", "sample_packing_sequentially: true\n"])
def test_packed_numbers_are_byte_for_byte_what_a_training_step_gets(
    opened: Callable[[str], Page], yaml: str, rows: Path, kind: str, extra: str
) -> None:
    # Each token of a completion is trained, but for the first of a document in a row.
    if kind == "completion":
        texts = [f"Number {number}. " * 20 for number in range(7)]
        rows.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    yaml = yaml.replace("chat_template", kind)
    text = yaml + "shuffle_merged_datasets: false\nsample_packing: true\nmicro_batch_size: 1\n" + extra
    text = text.replace("micro_batch_size: 2\n", "")
    config = load_config(text)
    tokenizer = load_tokenizer(config)
    samples = load_samples(config, tokenizer).train
    trained = make_rows(config, samples, samples.lengths, pad_token_id=pad_token_id(tokenizer))
    page = opened(text)
    page.counted()
    view, _ = page.ask("packing", layout=None, start=0, stop=50)
    assert (view["total"], view["samples"], view["message"]) == (len(trained.items), 7, "")
    assert view["total"] > 1
    for row in range(view["total"]):
        batch = trained.collate([trained.items[row]])
        content, buffers = page.ask("pack", layout=view["layout"], row=row)
        names = ("input_ids", "labels", "position_ids", "document_ids")
        assert buffers == [batch[name][0].numpy().astype("<i4").tobytes() for name in names]
        assert content["count"] == batch["input_ids"].shape[1]

        # A sample by itself is shown as the document that it is in the row.
        start = 0
        for segment in view["rows"][row]["segments"]:
            stop = start + segment["length"]
            _, sample = page.ask("sample", place=segment["place"], sample=segment["sample"])
            for number in range(3):
                assert sample[number] == buffers[number][4 * start : 4 * stop]
            start = stop


def test_long_samples_go_page_by_page_and_no_message_is_large(
    opened: Callable[[str], Page], yaml: str, rows: Path
) -> None:
    content = " ".join(f"{number:x} 漢字 é" for number in range(3000))
    chat = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": content}]
    rows.write_text(json.dumps({"messages": chat}) + "\n")
    page = opened(yaml.replace("sequence_len: 256", "sequence_len: 65536"))
    first, buffers = page.ask("sample", place=0, sample=0)
    assert first["count"] == PAGE_TOKENS
    assert first["length"] > 3 * PAGE_TOKENS
    assert first["raw_cut"] is False
    ids = int32(buffers[0])
    while len(ids) < first["length"]:
        more, buffers = page.ask("tokens", place=0, sample=0, start=len(ids))
        assert (more["start"], more["count"]) == (len(ids), len(int32(buffers[0])))
        assert set(more["vocabulary"]["ids"]) == set(int32(buffers[0]))
        ids += int32(buffers[0])
    [sample] = engine.open_inspection(load_config(yaml.replace("256", "65536"))).look(0).samples
    assert ids == sample.sample.input_ids.tolist()
    for message, parts in page.view.comm.custom:
        assert len(json.dumps(message).encode()) + sum(map(len, parts)) <= MOST_BYTES


def test_hostile_text_can_be_sent(opened: Callable[[str], Page], yaml: str, rows: Path) -> None:
    hostile = "<script>\ud83d\x00\u202e\x1b[31m" + "x" * 10_000_000
    lines = [{"messages": [{"role": "user", "content": hostile}, {"role": "assistant", "content": "\ud83d"}]}]
    rows.write_text("".join(json.dumps(line) + "\n" for line in lines) + "not json\n")
    page = opened(yaml)
    page.ask("list", filter=None, search=False, start=0, stop=50)
    content, _ = page.ask("sample", place=0, sample=0)
    assert content["raw_cut"] or content["error"]
    content, buffers = page.ask("sample", place=1, sample=0)
    assert "line 2: not valid JSON" in content["error"]
    assert (content["samples"], content["spans"], content["raw"], content["number"]) == (0, [], "", 2)
    assert buffers == [b""] * 4
    page.counted()
    for message, parts in page.view.comm.custom:
        sent = json.dumps(message, ensure_ascii=False, allow_nan=False).encode()
        assert len(sent) + sum(map(len, parts)) <= MOST_BYTES


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        ("sample", {"place": 7, "sample": 0}, "There is no row 8."),
        ("tokens", {"place": 0, "sample": 3, "start": 0}, "The row has 1 samples."),
        (
            "pack",
            {"layout": "packed", "row": 0},
            "Packing is about the samples that were counted. Count all to see it.",
        ),
        ("what_if", {"changes": {"nope": 1}}, "'nope' cannot be tried out"),
    ],
)
def test_what_cannot_be_answered_is_a_sentence(
    opened: Callable[[str], Page], yaml: str, kind: str, content: dict[str, Any], message: str
) -> None:
    reply, _ = opened(yaml).ask(kind, **content)
    assert reply["type"] == "error"
    assert message in reply["message"]


def test_a_mistake_of_ours_leaves_no_page_waiting(
    opened: Callable[[str], Page], yaml: str, caplog: pytest.LogCaptureFixture
) -> None:
    reply, _ = opened(yaml).ask("sample", place="x", sample=0)
    assert reply["message"].startswith("This could not be shown: ValueError: ")
    assert "inspector: sample" in caplog.text


def test_a_small_set_is_counted_by_itself(opened: Callable[[str], Page], yaml: str) -> None:
    page = opened(yaml)
    assert page.view._inspection.jobs["scan"].state == "idle"
    page.view.comm.receive({"type": "hello"})
    until(lambda: [each for each in page.of("progress") if each["jobs"]["scan"]["state"] == "done"])
    told = page.of("progress")[-1]
    assert (told["generation"], told["summary"]["samples"], told["jobs"]["scan"]["done"]) == (1, 7, 7)
    assert told["counts"]["truncated"] == 0
    listed, _ = page.ask("list", filter="longest", search=False, start=0, stop=50)
    lengths = [row["length"] for row in listed["rows"]]
    assert lengths == sorted(lengths, reverse=True)
    assert len(lengths) == 7


def test_a_large_set_waits_to_be_asked(
    opened: Callable[[str], Page], yaml: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "AUTOMATIC_ROWS", 6)
    page = opened(yaml)
    page.view.comm.receive({"type": "hello"})
    page.ask("what_if", changes={"sequence_len": 64})
    assert page.view._inspection.jobs["scan"].state == "idle"
    assert page.counted()["summary"]["samples"] == 7


def test_progress_comes_at_most_four_times_a_second(opened: Callable[[str], Page], yaml: str) -> None:
    page = opened(yaml)
    times: list[float] = []
    send = page.view.send

    def timed(content: dict[str, Any], buffers: Any = None) -> None:
        if content["type"] == "progress":
            times.append(time.monotonic())
        send(content, buffers=buffers)

    page.view.send = timed  # type: ignore[method-assign]
    page.counted()
    for _ in range(50):
        page.view.comm.receive({"type": "hello"})
    page.view.comm.receive({"type": "search", "text": "wealth"})
    until(lambda: page.of("progress")[-1]["jobs"]["search"]["state"] == "done")
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps
    assert min(gaps) >= 0.24
    assert page.of("progress")[-1]["found"] == 1
    found, _ = page.ask("list", filter=None, search=True, start=0, stop=50)
    assert ([row["place"] for row in found["rows"]], found["complete"]) == ([0], True)
    none, _ = page.ask("list", filter="truncated", search=True, start=0, stop=50)
    assert none["rows"] == []


def test_other_values_are_another_generation_that_is_counted_anew(
    opened: Callable[[str], Page], yaml: str
) -> None:
    page = opened(yaml).ready()
    page.counted()
    before, _ = page.ask("sample", place=0, sample=0)
    state, _ = page.ask("what_if", changes={"sequence_len": 40, "excess_length_strategy": "truncate"})
    assert (state["type"], state["generation"], state["sequence_len"]) == ("what_if", 2, 40)
    assert state["yaml"] == "sequence_len: 40\nexcess_length_strategy: truncate\n"
    values = {knob["key"]: (knob["value"], knob["original"]) for knob in state["knobs"]}
    assert values["sequence_len"] == (40, 256)
    assert page.of("state")[-1] == {**{key: state[key] for key in page.of("state")[-1]}, "type": "state"}
    after, _ = page.ask("sample", place=0, sample=0)
    assert (before["generation"], before["length"], before["cut"]) == (1, 63, 0)
    assert (after["generation"], after["length"], after["cut"], after["flags"]) == (2, 40, 23, ["truncated"])
    until(lambda: page.of("progress")[-1]["generation"] == 2 and page.of("progress")[-1]["summary"])
    until(lambda: page.of("progress")[-1]["counts"].get("truncated") == 7)

    back, _ = page.ask("what_if", changes={})
    assert (back["generation"], back["yaml"], back["sequence_len"]) == (3, "", 256)
    until(lambda: page.of("progress")[-1]["generation"] == 3)
    # What was counted of the config itself is still known.
    assert page.of("progress")[-1]["jobs"]["scan"]["state"] == "done"


def lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_closing_ends_the_processes_and_refuses_what_comes_later(
    opened: Callable[[str], Page], yaml: str, rows: Path
) -> None:
    rows.write_bytes(rows.read_bytes() * 2000)
    page = opened(yaml)
    before = set(psutil.Process().children(recursive=True))
    page.view.comm.receive({"type": "scan", "action": "start"})
    until(lambda: set(psutil.Process().children(recursive=True)) - before)
    started = set(psutil.Process().children(recursive=True)) - before
    page.view.comm.receive({"type": "close"})
    until(lambda: not any(map(lives, started)))
    assert page.of("state")[-1]["message"] == "This inspector is closed."
    reply, _ = page.ask("sample", place=0, sample=0)
    assert (reply["message"], reply["fix"]) == ("This inspector is closed.", "Run the cell again to open it.")
    until(lambda: not [each for each in threading.enumerate() if each.name.startswith("inspect ")])


def test_no_more_than_a_few_stay_open(
    opened: Callable[[str], Page], yaml: str, monkeypatch: pytest.MonkeyPatch, gate: threading.Event
) -> None:
    views.close_all()
    monkeypatch.setattr(views, "MOST_OPEN", 2)
    first, second, third = opened(yaml), opened(yaml), opened(yaml)
    assert [page.view._closed.is_set() for page in (first, second, third)] == [True, False, False]
    views.close_all()
    assert third.view._closed.is_set()


def test_findings_are_a_table_of_the_whole_set(opened: Callable[[str], Page], yaml: str, rows: Path) -> None:
    rows.write_bytes(rows.read_bytes() + b"not json\n")
    found = opened(yaml).view.findings
    assert found.iloc[0]["name"] == "broken"
    assert (found.iloc[0]["count"], found.iloc[0]["places"]) == (1, (7,))
    assert list(found.columns) == [
        "name",
        "title",
        "severity",
        "count",
        "share",
        "reason",
        "fix",
        "places",
        "flag",
    ]


def test_waiting_gives_a_still_picture_of_the_whole_set(opened: Callable[..., Page], yaml: str) -> None:
    view = opened(yaml, wait=True).view
    data, _ = view._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert "So far" not in data["text/html"]
    assert ">samples</span><br><strong" in data["text/html"]
    assert data["text/html"].count("tokens, ") == 3
    assert repr(view).splitlines()[1] == "Row 1: 63 tokens, 27 trained"


def test_the_picture_does_not_wait_for_the_tokenizer(
    opened: Callable[[str], Page], yaml: str, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "STILL_WAIT", 0.01)
    data, _ = opened(yaml).view._repr_mimebundle_()
    assert "<li>Define &quot;abasement&quot;.</li>" in data["text/html"]
    assert "token 0" not in data["text/html"]


class FakeChat:
    """A model whose loss of a token is its id, and of the base twice that."""

    opened: ClassVar[list[Any]] = []

    def __init__(self, source: Any) -> None:
        self.status, self.choices, self.is_closed = "ready", ("tuned", "base"), False
        FakeChat.opened.append(self)

    def token_losses(self, ids: Any, *, which: str) -> Any:
        losses = np.asarray(ids, np.float32) * (2 if which == "base" else 1)
        losses[0] = np.nan
        return losses

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def chats(monkeypatch: pytest.MonkeyPatch) -> list[FakeChat]:
    from ft_jupyter.widgets.inspector import losses

    monkeypatch.setattr(losses, "Chat", FakeChat)
    monkeypatch.setattr(FakeChat, "opened", [])
    return FakeChat.opened


def test_losses_are_asked_of_a_model_that_is_opened_then_and_closed_with_the_view(
    opened: Callable[[str], Page], yaml: str, chats: list[FakeChat]
) -> None:
    page = opened(yaml)
    _, (ids, labels, *_) = page.ask("sample", place=0, sample=0)
    assert chats == []
    content, (tuned, base) = page.ask("losses", place=0, sample=0, models=["tuned", "base"])
    assert content["models"] == ["tuned", "base"]
    losses = np.frombuffer(tuned, "<f4")
    assert np.isnan(losses[0])
    assert losses[1:].tolist() == [float(token) for token in int32(ids)[1:]]
    trained = np.array(int32(labels)) >= 0
    assert content["means"] == pytest.approx([losses[trained].mean(), 2 * losses[trained].mean()])
    assert np.frombuffer(base, "<f4")[1] == 2 * losses[1]
    page.ask("losses", place=1, sample=0, models=["base"])
    [chat] = chats
    assert not chat.is_closed
    page.view.close()
    assert chat.is_closed


def test_a_model_that_failed_is_opened_anew(chats: list[FakeChat]) -> None:
    losses = Losses(None, "base")
    losses.of([1, 2], ["base"])
    chats[0].status = "failed"
    losses.of([1, 2], ["base"])
    assert [chat.is_closed for chat in chats] == [True, False]
    losses.close()
    with pytest.raises(ModelError, match="The inspector is closed"):
        losses.of([1], ["base"])
