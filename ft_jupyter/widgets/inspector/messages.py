"""What the engine found, as messages of ``docs/reference/widget-messages.md``.

Every function returns a message and its buffers. Ids, labels and the like go as little-endian int32, losses as float32. A
message holds at most about 256 kB, which every notebook server and Colab carry: long samples and lists go page by page.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike

from ft_core.data import Sample
from ft_core.data.packing_rows import Pack, assemble_pack
from ft_core.inspection.inspection import Inspection, Packed
from ft_core.inspection.look import Looked
from ft_core.inspection.packing import Layout
from ft_core.inspection.parity import Parity, Side, Turn
from ft_core.inspection.signs import shortened
from ft_core.inspection.tokens import TokenTable, Vocabulary

Message = tuple[dict[str, Any], list[bytes]]
"""What is said, and its buffers."""

PAGE_TOKENS = 2048
"""Tokens of one message: 32 kB of numbers, and what at most so many different ids stand for."""

PAGE_ROWS = 200
"""Rows of one message."""

PACK_TOKENS = 4096
"""Tokens of a packed row whose ids and labels one message holds; positions and documents it holds all."""

SPAN_TEXT = 48_000
"""Characters of all spans of a message; what the ids stand for is in its vocabulary anyway."""

RAW_TEXT = 48_000
"""Characters of the row as JSON."""

ROW_TEXT = 160
"""Characters of a row in the list."""


def clean(value: Any) -> Any:
    r"""Return a message that can be written as JSON in UTF-8: halves of surrogate pairs as escapes, no number that is none.

    >>> clean({"text": "half \ud83d", "mean": float("nan"), "ids": (1, 2)})
    {'text': 'half \\ud83d', 'mean': None, 'ids': [1, 2]}
    """
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {clean(key): clean(item) for key, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [clean(item) for item in cast("Iterable[Any]", value)]
    return value


def sample_message(
    looked: Looked, ordinal: int, tokens: TokenTable, *, packed: bool, seconds: float
) -> Message:
    """Return a sample of a row with its first tokens, or why the row is none.

    Parameters
    ----------
    looked
        The row.
    ordinal
        Which of its samples.
    tokens
        What ids stand for.
    packed
        Whether a training step receives it as a document of a packed row.
    seconds
        How long it took to make it.
    """
    raw, raw_cut = raw_text(looked)
    error = looked.error
    about: dict[str, Any] = {
        "dataset": looked.dataset,
        "number": (looked.place if looked.number is None else looked.number) + 1,
        "samples": len(looked.samples),
        "raw": raw,
        "raw_cut": raw_cut,
        "error": error.message if error else "",
        "fix": error.fix if error else "",
        "seconds": seconds,
    }
    if not looked.samples:
        empty = {"length": 0, "trained": 0, "cut": 0, "dropped": "", "flags": [], "spans": []}
        page, buffers = _tokens(looked.place, 0, 0, _no_tokens(), tokens)
        return page | about | empty, buffers
    ordinal = min(max(ordinal, 0), len(looked.samples) - 1)
    entry = looked.samples[ordinal]
    page, buffers = tokens_message(looked, ordinal, 0, tokens, packed=packed)
    about |= {
        "length": len(entry.sample),
        "trained": entry.sample.trained,
        "cut": entry.sample.cut,
        "dropped": entry.dropped or "",
        "flags": list(entry.flags),
        "spans": _spans(entry.sample),
    }
    return page | about, buffers


def tokens_message(looked: Looked, ordinal: int, start: int, tokens: TokenTable, *, packed: bool) -> Message:
    """Return the tokens of a sample from `start` on, as many as a message holds; the rest as for `sample_message`."""
    return _tokens(
        looked.place, ordinal, start, _columns(looked.samples[ordinal].sample, packed=packed), tokens
    )


def _tokens(
    place: int, ordinal: int, start: int, columns: Sequence[ArrayLike], tokens: TokenTable
) -> Message:
    page = [np.asarray(column)[start : start + PAGE_TOKENS] for column in columns]
    about = {"place": place, "sample": ordinal, "start": start, "count": len(page[0])}
    return about | {"vocabulary": vocabulary_of(page[0], tokens)}, _int32s(page)


def _columns(sample: Sample, *, packed: bool) -> Sequence[ArrayLike]:
    """Return ids, labels, positions and documents of a sample as a training step receives them."""
    if packed:
        return _pack_columns(assemble_pack([sample], [0], pad_token_id=0))
    count = len(sample)
    return sample.input_ids, sample.labels, np.arange(count), np.ones(count)


def _pack_columns(pack: Pack) -> Sequence[ArrayLike]:
    return pack.input_ids, pack.labels, pack.position_ids, pack.document_ids


def _no_tokens() -> Sequence[ArrayLike]:
    return (np.zeros(0),) * 4


def vocabulary_of(ids: ArrayLike, tokens: TokenTable) -> dict[str, list[Any]]:
    """Return what the different ones of `ids` stand for."""
    found: Vocabulary = tokens.vocabulary(np.asarray(ids, np.int32))
    return {name: list(values) for name, values in asdict(found).items()}


def raw_text(looked: Looked) -> tuple[str, bool]:
    """Return a row as JSON, and whether its end is cut off; empty for one that cannot be read."""
    if looked.row is None:
        return "", False
    # Halves of surrogate pairs come out as the escapes that JSON has for them.
    written = json.dumps(looked.row, ensure_ascii=False, indent=2, default=str)
    return written[:RAW_TEXT], len(written) > RAW_TEXT


def _spans(sample: Sample) -> list[dict[str, Any]]:
    """Return the spans; of very long texts, the beginning."""
    spans = sample.spans
    total = sum(len(span.text) for span in spans)
    limit = total if total <= SPAN_TEXT else max(SPAN_TEXT // max(len(spans), 1), 16)
    return [
        {
            "start": span.start,
            "end": span.end,
            "role": span.role,
            "turn": span.turn,
            "trained": span.trained,
            "rule": span.rule,
            "text": shortened(span.text, limit),
        }
        for span in spans
    ]


def parity_message(place: int, parity: Parity) -> Message:
    """Return the prompts of a chat beside the training ids of a row."""
    turns = [_turn(turn) for turn in parity.turns]
    return {"place": place, "turns": turns, "message": parity.message, "fix": parity.fix}, []


def _turn(turn: Turn) -> dict[str, Any]:
    return {
        "turn": turn.turn,
        "equal": turn.equal,
        "at": turn.at,
        "from": turn.start,
        "training": _side(turn.training),
        "prompt": _side(turn.prompt),
        "cause": turn.cause,
        "fix": turn.fix,
    }


def _side(side: Side) -> dict[str, Any]:
    return {"ids": list(side.ids), "texts": list(side.texts)}


def layout_message(layout: Layout) -> dict[str, Any]:
    """Return one way to lay samples into rows, in figures."""
    names = ("name", "title", "rows", "fill", "capacity", "samples_per_row", "current", "description")
    return {name: getattr(layout, name) for name in names}


def packed_row_message(packed: Packed, layout: Layout, row: int) -> dict[str, Any]:
    """Return which samples lie in a row."""
    of = packed.samples
    segments = [
        {
            "place": int(of.place[index]),
            "sample": int(of.ordinal[index]),
            "length": int(of.length[index]),
            "trained": int(of.trained[index]),
        }
        for index in layout.bins[row].tolist()
    ]
    tokens = sum(each["length"] for each in segments)
    return {"row": row, "segments": segments, "tokens": tokens, "width": int(layout.widths[row])}


def pack_message(layout: str, row: int, pack: Pack, tokens: TokenTable) -> Message:
    """Return a packed row as training receives it; of a very long one, the ids and labels of the beginning."""
    ids, labels, *rest = _pack_columns(pack)
    ids, labels = np.asarray(ids)[:PACK_TOKENS], np.asarray(labels)[:PACK_TOKENS]
    about = {"layout": layout, "row": row, "count": len(pack), "vocabulary": vocabulary_of(ids, tokens)}
    return about, _int32s([ids, labels, *rest])


def progress_message(inspection: Inspection) -> dict[str, Any]:
    """Return how far the passes are, and what they have found."""
    summary = inspection.summary
    return {
        "jobs": {name: asdict(job) for name, job in inspection.jobs.items()},
        "counts": dict(inspection.counts),
        "found": len(inspection.matches),
        "summary": asdict(summary) if summary else None,
        "findings": [asdict(finding) for finding in inspection.findings],
    }


def losses_message(place: int, ordinal: int, losses: Mapping[str, ArrayLike], labels: ArrayLike) -> Message:
    """Return the loss of each token under each model, and the mean over the trained ones."""
    trained = np.asarray(labels) >= 0
    arrays = {model: np.ascontiguousarray(values, "<f4") for model, values in losses.items()}
    means = [_mean(values[trained[: len(values)]]) for values in arrays.values()]
    about = {"place": place, "sample": ordinal, "models": list(arrays), "means": means}
    return about, [values.tobytes() for values in arrays.values()]


def _mean(losses: Any) -> float:
    """Return the mean of those that are numbers; the first token has none."""
    known = losses[np.isfinite(losses)]
    return float(known.mean()) if len(known) else math.nan


def _int32s(columns: Iterable[ArrayLike]) -> list[bytes]:
    return [np.ascontiguousarray(column, "<i4").tobytes() for column in columns]
