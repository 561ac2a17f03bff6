"""What the datasets library loads: folders that it saved, and datasets of the Hugging Face hub."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ft_core.data.files import Broken, Row, Rows, count_file, data_file
from ft_core.data.sources.source import LoadedSource
from ft_core.errors import DataError, causes

if TYPE_CHECKING:
    from ft_core.config import Dataset

HUB_FIX = "Check the name, the network, and for a gated dataset that you are logged in (hf auth login)."


def load_saved(folder: Path, split: str, name: str) -> LoadedSource:
    """Return the rows of a folder that ``save_to_disk`` wrote."""
    from datasets import load_from_disk

    return LoadedSource(load_from_disk(str(_saved_split(folder, split, name))).with_format(None))


def count_saved(folder: Path, split: str, name: str) -> int:
    """Return how many rows such a folder has, without the datasets library, which takes its time to load."""
    place = _saved_split(folder, split, name)
    state = json.loads((place / "state.json").read_text(encoding="utf-8"))
    files = [place / entry["filename"] for entry in state["_data_files"]]
    return sum(count_file(data_file(file, "arrow")) for file in files)


def _saved_split(folder: Path, split: str, name: str) -> Path:
    """Return the folder of one split; a folder without splits is its own."""
    about = folder / "dataset_dict.json"
    if not about.is_file():
        own = json.loads((folder / "state.json").read_text(encoding="utf-8")).get("_split")
        if split not in ("train", own):
            raise DataError(f"'{name}' holds one split, and that is not '{split}'.", "Leave split out.")
        return folder
    splits: list[str] = json.loads(about.read_text(encoding="utf-8"))["splits"]
    if split not in splits:
        raise DataError(f"'{name}' has no split '{split}'.", f"Use one of: {', '.join(splits)}.")
    return folder / split


def load_hub(dataset: Dataset, split: str, *, streaming: bool = False) -> LoadedSource | HubStream:
    """Return the rows of a dataset of the hub, which is downloaded once and then kept by the datasets library.

    With `streaming`, nothing is kept: rows come over the network as they are read.
    """
    import datasets

    options: dict[str, Any] = {}
    if dataset.data_files:
        options["data_files"] = list(dataset.data_files)
    # Version 4 took the running of code that comes with a dataset away, and the option with it.
    if dataset.trust_remote_code is not None and int(datasets.__version__.split(".")[0]) < 4:
        options["trust_remote_code"] = dataset.trust_remote_code
    if streaming:
        options["streaming"] = True
    try:
        loaded = datasets.load_dataset(
            dataset.path, dataset.name, split=split, revision=dataset.revision, **options
        )
    except Exception as error:
        raise _hub_error(dataset, error) from error
    return HubStream(loaded, dataset) if streaming else LoadedSource(loaded.with_format(None))


@dataclass(frozen=True)
class HubStream:
    """The rows of a hub dataset as they come over the network; none of them is kept."""

    loaded: Any
    dataset: Dataset

    def read(self, start: int = 0) -> Iterator[Row | Broken]:
        """Yield the rows from number `start` on."""
        try:
            for row in self.loaded.skip(start) if start else self.loaded:
                yield dict(row)
        except DataError:
            raise
        except Exception as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
            message = f"The stream of '{self.dataset.path}' broke off: {reason}."
            raise DataError(message, "Check the network, and go on from the last checkpoint.") from error

    def count(self) -> int:
        """Raise: only who has read all rows knows how many there are."""
        raise self._has_no_end()

    def open(self) -> Rows:
        """Raise, as `count` does."""
        raise self._has_no_end()

    def _has_no_end(self) -> DataError:
        return DataError(
            f"'{self.dataset.path}' (split {self.dataset.split}): how many rows a stream has is not known.",
            "Write the slice in rows from the beginning, as in train[1000:] or train[:5000].",
        )

    @property
    def is_random(self) -> bool:
        """Whether any one row can be read without others."""
        return False


def _hub_error(dataset: Dataset, error: Exception) -> DataError:
    told = " ".join(str(link) for link in causes(error))
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    if "Dataset scripts are no longer supported" in told:
        return DataError(
            f"'{dataset.path}' is read by Python code of its own, which the datasets library no longer runs.",
            "Try its copy in Parquet: revision: refs/convert/parquet.",
        )
    if matched := re.search(r"Unknown split \"?(\S+?)\"?\. Should be one of (\[.*?\])", told):
        return DataError(f"'{dataset.path}' has no split '{matched[1]}'.", f"Use one of {matched[2]}.")
    if matched := re.search(r"(?:available configs|Available): (\[.*?\])", told):
        what = (
            f"no configuration '{dataset.name}'"
            if dataset.name
            else "several configurations, and none is named"
        )
        return DataError(f"'{dataset.path}' has {what}.", f"Write one of {matched[1]} under 'name'.")
    return DataError(
        f"'{dataset.path}' is no file here, and the Hugging Face hub gave no such dataset: {reason}.", HUB_FIX
    )
