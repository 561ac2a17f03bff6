"""What a trainer takes its micro-batches from where rows are streamed; the counterpart of `ft_core.train.batches`.

Each rank has rows of its own (`ft_core.data.streamed_rows`) and makes batches of them without end, so all ranks have as many
as are asked for. The rows of a batch may come from two buffers; where it ends is a `Position`::

    buffers      0: a b c d e      1: f g h ...         3 rows a micro-batch
    batches      a b c | d e f | g h ...
    position     before 0, 3 rows    before 1, 1 row
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import IterableDataset

from ft_core.data.files import told_of
from ft_core.data.row_packing import pack_lengths
from ft_core.data.sieve import BROKEN, Tally
from ft_core.data.stream import Buffer, Place, SampleStream
from ft_core.errors import RunError
from ft_core.models.hardware import Hardware, cpu_cores
from ft_core.train.ahead import made_ahead
from ft_core.train.batches import row_shape

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config
    from ft_core.runs import RunWriter

_FILE = "stream-{rank}.json"


@dataclass(frozen=True)
class Position:
    """Where a rank is in its stream: how many rows of the buffer at `place` were trained on."""

    place: Place
    taken: int = 0


class StreamedRows(IterableDataset[Any]):
    """The micro-batches of one rank's stream, as what the collator takes.

    Parameters
    ----------
    config
        Says how samples become rows.
    stream
        The samples.
    pad_token_id
        The id that fills rows up.
    world_size
        How many ranks share the data.
    rank
        Which of them this is.
    start
        Where to begin; at the beginning by default.

    Attributes
    ----------
    collate
        Makes tensors of a micro-batch.
    position
        Where the micro-batch ends that was given last.
    """

    def __init__(
        self,
        config: Config,
        stream: SampleStream,
        *,
        pad_token_id: int,
        rank: int = 0,
        world_size: int = 1,
        start: Position | None = None,
    ) -> None:
        shape = row_shape(config, pad_token_id=pad_token_id)
        self.collate: Callable[[Sequence[Any]], dict[str, torch.Tensor]] = shape.collate
        self.position = start or Position(stream.begin)
        self._config, self._stream = config, stream
        self._batch_size = shape.batch_size
        self._rank, self._world_size = rank, world_size
        self._read = self.position.place.tally

    def __iter__(self) -> Iterator[list[Any]]:
        """Yield micro-batches from the position on."""
        place, skip = self.position.place, self.position.taken
        batch: list[Any] = []
        for buffer in made_ahead(self._stream.buffers(place)):
            self._read = buffer.after.tally
            rows = self._rows(buffer)
            for number in range(skip, len(rows)):
                samples = [buffer.samples[int(index)] for index in rows[number]]
                batch.append(samples if self._config.sample_packing else samples[0])
                if len(batch) == self._batch_size:
                    is_last = number + 1 == len(rows)
                    self.position = Position(buffer.after) if is_last else Position(buffer.before, number + 1)
                    yield batch
                    batch = []
            skip = 0

    @property
    def read(self) -> Tally:
        """What became of this rank's rows so far, those of the buffer in use included."""
        return self._read

    def close(self) -> None:
        """Make no more batches."""
        self._stream.close()

    def save(self, folder: Path) -> None:
        """Write this rank's position into a checkpoint."""
        values = {
            "world_size": self._world_size,
            "taken": self.position.taken,
            "place": self.position.place.to_dict(),
        }
        (folder / _FILE.format(rank=self._rank)).write_text(json.dumps(values), encoding="utf-8")

    def _rows(self, buffer: Buffer) -> list[list[int]]:
        """Return which samples of a buffer lie in which row, in the order in which rows are trained on."""
        order = np.arange(len(buffer.samples))
        # The same for whoever begins at this buffer.
        random = np.random.default_rng([self._config.seed, self._rank, buffer.before.buffers])
        if self._config.shuffle_merged_datasets:
            order = random.permutation(order)
        if not self._config.sample_packing:
            return order.reshape(-1, 1).tolist()
        lengths = buffer.samples.lengths[order]
        packing = pack_lengths(self._config, lengths, self._config.micro_batch_size)
        bins = [order[members] for members in packing.bins]
        if self._config.shuffle_merged_datasets:
            bins = [bins[index] for index in random.permutation(len(bins))]
        return [members.tolist() for members in bins]


def stream_rows(
    config: Config, hardware: Hardware, tokenizer: PreTrainedTokenizerBase, *, pad_token_id: int
) -> StreamedRows:
    """Return the streamed rows of this rank, from where the config goes on.

    Raises
    ------
    DataError, MissingExtra, RunError
        As `SampleStream` and `read_position`.
    """
    rank, world_size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    # Where the processor trains, it has nothing to spare.
    cores = 1 if hardware.kind == "cpu" else cpu_cores()
    sharing = int(os.environ.get("LOCAL_WORLD_SIZE", "1")) * len(config.datasets)

    def on_wait(message: str) -> None:
        if rank == 0:
            print(f"{message} ...", flush=True)  # noqa: T201

    stream = SampleStream(
        config,
        tokenizer,
        rank=rank,
        world_size=world_size,
        processes=max(1, cores // sharing),
        on_wait=on_wait,
    )
    start = None
    if config.resume_from_checkpoint is not None:
        checkpoint = Path(config.resume_from_checkpoint)
        start = read_position(checkpoint, config, rank=rank, world_size=world_size)
    return StreamedRows(
        config, stream, pad_token_id=pad_token_id, rank=rank, world_size=world_size, start=start
    )


def tell_stream(rows: StreamedRows, writer: RunWriter | None, *, eval_samples: int) -> None:
    """Write what became of the rows that all ranks have read; every rank calls it."""
    from accelerate.utils import gather_object

    gathered: list[Place] = gather_object([replace(rows.position.place, tally=rows.read)])
    if writer is None:
        return
    total = Tally()
    for place in gathered:
        total.add(place.tally)
    writer.emit(
        "data",
        train_samples=total.samples,
        eval_samples=eval_samples,
        streamed_rows=total.rows + total.dropped[BROKEN],
        passes=min(place.passes for place in gathered),
        dropped=dict(total.dropped),
    )
    for message in told_of(total.dropped[BROKEN], total.broken):
        writer.emit("warning", message=message, fix="")


def read_position(checkpoint: Path, config: Config, *, rank: int, world_size: int) -> Position:
    """Return where a rank goes on in its stream.

    Raises
    ------
    RunError
        The checkpoint holds no position for this rank: other data was trained on, or by another number of ranks.
    """
    file = checkpoint / _FILE.format(rank=rank)
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        position = Position(Place.from_dict(values["place"]), values["taken"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise RunError(
            f"'{checkpoint}' does not say where in its stream rank {rank} was.",
            "Go on from a checkpoint of a run that streamed the same data, on as many ranks.",
        ) from error
    if values["world_size"] != world_size:
        raise RunError(
            f"'{checkpoint}' was written by {values['world_size']} ranks, and {world_size} would go on from it.",
            "A stream is shared out among its ranks: go on with as many.",
        )
    if len(position.place.rows) != len(config.datasets):
        raise RunError(
            f"'{checkpoint}' was written while {len(position.place.rows)} datasets were streamed, "
            f"and the config names {len(config.datasets)}.",
            "Go on with the same datasets, in the same order.",
        )
    return position
