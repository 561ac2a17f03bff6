"""What a page asks of an inspection, answered: one method a request."""

from __future__ import annotations

import time
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ft_core.errors import DataError, FtError
from ft_core.inspection.inspection import Inspection, Packed
from ft_core.inspection.look import Looked
from ft_core.inspection.packing import Layout
from ft_core.inspection.tokens import TokenTable
from ft_jupyter.widgets.inspector import messages
from ft_jupyter.widgets.inspector.lane import Request
from ft_jupyter.widgets.inspector.losses import Losses
from ft_jupyter.widgets.inspector.messages import Message

OF_THE_SET = ("duplicate", "prompt_differs")
"""Flags that a row has beside all others, so that only a pass finds them."""

NOTHING_COUNTED = "Packing is about the samples that were counted. Count all to see it."

NOTHING_KEPT = "Training takes none of the samples that were counted so far."


class Answers:
    """Answers what is asked of one inspection, each method from one thread at a time.

    Parameters
    ----------
    inspection
        What is asked about.
    losses
        The models that may be asked for losses.
    """

    def __init__(self, inspection: Inspection, losses: Losses) -> None:
        self.inspection = inspection
        self._losses = losses
        self._loading = Lock()
        self._packed: tuple[object, Packed] | None = None
        self._last_look: Looked | None = None

    def answer(self, request: Request) -> Message:
        """Return the reply to a request and its buffers.

        Raises
        ------
        FtError
            There is no answer: the sentence says why.
        """
        match request["type"]:
            case "list":
                return self._list(request)
            case "sample":
                return self._sample(request)
            case "tokens":
                return self._tokens(request)
            case "parity":
                place = self._place(request)
                return messages.parity_message(place, self.inspection.parity(place))
            case "packing":
                return self._packing(request)
            case "pack":
                return self._pack(request)
            case "losses":
                return self._losses_of(request)
            case kind:
                raise FtError(f"An inspector cannot be asked for '{kind}'.")

    @property
    def tokens(self) -> TokenTable:
        """What ids stand for; loads the tokenizer when it is first needed."""
        with self._loading:
            return self._token_table

    @cached_property
    def _token_table(self) -> TokenTable:
        return TokenTable(self.inspection.tokenizer)

    def _list(self, request: Request) -> Message:
        """Return some rows of the list: all, those of a flag, those found, or those of both."""
        name: str | None = request["filter"]
        jobs = self.inspection.jobs
        places = self._places(name)
        complete = name in (None, "random") or jobs["scan"].state == "done"
        if request["search"]:
            found = self.inspection.matches
            places = found if name is None else places[np.isin(places, found)]
            complete = complete and jobs["search"].state == "done"
        start = max(int(request["start"]), 0)
        stop = min(int(request["stop"]), start + messages.PAGE_ROWS)
        rows = [self._row(place) for place in places[start:stop].tolist()]
        return {"total": len(places), "complete": complete, "start": start, "rows": rows}, []

    def _places(self, name: str | None) -> NDArray[np.int32]:
        if name == "random":
            return self._random
        return self.inspection.places(name)

    @cached_property
    def _random(self) -> NDArray[np.int32]:
        return self.inspection.places("random")

    def _row(self, place: int) -> dict[str, Any]:
        rows = self.inspection.rows
        dataset, inside = rows.locate(place)
        row: dict[str, Any] = {
            "place": place,
            "dataset": dataset,
            "number": inside + 1,
            "text": "",
            "error": "",
        }
        try:
            row["number"] = rows.row(place)[0] + 1
            row["text"] = rows.preview(place, messages.ROW_TEXT)
        except DataError as error:
            row["error"] = error.message
        known = self.inspection.known(place)
        return row | {
            "length": known.length if known else None,
            "trained": known.trained if known else None,
            "flags": list(known.flags) if known else [],
        }

    def _sample(self, request: Request) -> Message:
        began = time.perf_counter()
        looked = self._look(self._place(request))
        seconds = time.perf_counter() - began
        known = self.inspection.known(looked.place)
        content, buffers = messages.sample_message(
            looked, int(request["sample"]), self.tokens, packed=self._is_packed(looked), seconds=seconds
        )
        content["flags"] += [name for name in OF_THE_SET if known and name in known.flags]
        return content, buffers

    def _tokens(self, request: Request) -> Message:
        looked = self._look(self._place(request))
        self._require_sample(looked, request)
        start, ordinal = max(int(request["start"]), 0), int(request["sample"])
        return messages.tokens_message(looked, ordinal, start, self.tokens, packed=self._is_packed(looked))

    def _losses_of(self, request: Request) -> Message:
        looked = self._look(self._place(request))
        self._require_sample(looked, request)
        ordinal = int(request["sample"])
        sample = looked.samples[ordinal].sample
        losses = self._losses.of(sample.input_ids, request["models"])
        return messages.losses_message(looked.place, ordinal, losses, sample.labels)

    def _place(self, request: Request) -> int:
        place = int(request["place"])
        if not 0 <= place < len(self.inspection.rows):
            raise FtError(
                f"There is no row {place + 1:,}.", f"The last one is {len(self.inspection.rows):,}."
            )
        return place

    def _look(self, place: int) -> Looked:
        """Return what a row became; the pages of a long sample are of one look."""
        last = self._last_look
        if last is None or last.place != place:
            self._last_look = last = self.inspection.look(place)
        return last

    def _require_sample(self, looked: Looked, request: Request) -> None:
        if looked.error is not None:
            raise looked.error
        if not 0 <= int(request["sample"]) < len(looked.samples):
            raise FtError(f"The row has {len(looked.samples)} samples.")

    def _is_packed(self, looked: Looked) -> bool:
        """Whether a training step, or one of evaluation, receives a row's samples laid end to end."""
        config = self.inspection.config
        if self.inspection.rows.datasets[looked.dataset].purpose == "evaluate":
            return bool(config.eval_sample_packing or config.batch_flattening)
        return bool(config.sample_packing or config.batch_flattening)

    def _packing(self, request: Request) -> Message:
        results = self.inspection.results
        if self._packed is None or self._packed[0] is not results:
            self._packed = (results, self.inspection.packing())
        packed = self._packed[1]
        layout = _layout(packed, request["layout"])
        start = max(int(request["start"]), 0)
        rows = range(start, min(int(request["stop"]), start + messages.PAGE_ROWS, layout.rows))
        counted = self.inspection.jobs["scan"].done
        message = "" if len(packed.samples) else NOTHING_KEPT if counted else NOTHING_COUNTED
        return {
            "layouts": [messages.layout_message(each) for each in packed.layouts],
            "layout": layout.name,
            "total": layout.rows,
            "start": start,
            "rows": [messages.packed_row_message(packed, layout, row) for row in rows],
            "samples": len(packed.samples),
            "message": message,
        }, []

    def _pack(self, request: Request) -> Message:
        """Return a row of the layout that the page was told of last."""
        if self._packed is None:
            raise FtError(NOTHING_COUNTED)
        packed = self._packed[1]
        layout, row = _layout(packed, request["layout"]), int(request["row"])
        if not 0 <= row < layout.rows:
            raise FtError(f"There is no packed row {row + 1:,}.", f"The last one is {layout.rows:,}.")
        pack = self.inspection.pack(packed, layout, row)
        return messages.pack_message(layout.name, row, pack, self.tokens)


def _layout(packed: Packed, name: str | None) -> Layout:
    """Return the layout of a name, by default the config's own."""
    return next((each for each in packed.layouts if each.name == name), packed.layouts[0])
