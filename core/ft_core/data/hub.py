"""Tokenized samples on the Hugging Face hub: made once, and taken from there by whoever trains on the same.

::

    my-name/prepared        a private dataset
    ├── <key>/              a configuration for each set of samples, as Parquet
    └── <key>.json          what became of its rows

A key names all that samples depend on (`ft_core.data.fingerprint`), so what is found under it is what would be made here. The
login is that of ``hf auth login`` or ``HF_TOKEN``; it is handed to no other place and written nowhere.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa

from ft_core.data.arrow import sample_schema
from ft_core.data.cache import ABOUT, SAMPLES
from ft_core.data.sources.reading import OnWait
from ft_core.errors import DataError

_BATCH = 1000
_TOKEN = re.compile(r"\bhf_\w{8,}")


def push_samples(repository: str, folder: Path) -> bool:
    """Put kept samples on the hub, and return whether they were not there yet.

    Parameters
    ----------
    repository
        The dataset that gets them; made, private, where there is none.
    folder
        Where they are kept; its name is their key.

    Raises
    ------
    DataError
        The hub does not take them.
    """
    import datasets
    from huggingface_hub import HfApi

    hub, note = HfApi(), f"{folder.name}.json"
    try:
        if hub.repo_exists(repository, repo_type="dataset") and hub.file_exists(
            repository, note, repo_type="dataset"
        ):
            return False
        with pa.memory_map(str(folder / SAMPLES)) as mapped:
            samples = datasets.Dataset(pa.ipc.open_file(mapped).read_all())
        samples.push_to_hub(repository, config_name=folder.name, private=True)
        # Last: who finds it finds the samples too.
        hub.upload_file(
            path_or_fileobj=(folder / ABOUT).read_bytes(),
            path_in_repo=note,
            repo_id=repository,
            repo_type="dataset",
        )
    except Exception as error:
        raise DataError(
            f"The hub did not take the tokenized data as '{repository}': {_reason(error)}.",
            "Log in with a token that may write there (hf auth login), or remove push_dataset_to_hub.",
        ) from error
    return True


def fetch_samples(repository: str, key: str, staging: Path, on_wait: OnWait | None) -> dict[str, Any] | None:
    """Write samples that are on the hub to a folder, and return what became of their rows; None where they are not there.

    Where the hub cannot be reached, `on_wait` is told, and samples are made here.
    """
    import datasets
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError

    try:
        note = hf_hub_download(repository, f"{key}.json", repo_type="dataset")
        about: dict[str, Any] = json.loads(Path(note).read_text(encoding="utf-8"))
        if on_wait:
            on_wait(f"taking tokenized data from '{repository}'")
        loaded: Any = datasets.load_dataset(repository, key, split="train")
        table: Any = loaded.with_format("arrow")[:]
    except (EntryNotFoundError, RepositoryNotFoundError):
        return None
    except Exception as error:  # noqa: BLE001 - whatever it is, the samples can be made here
        if on_wait:
            on_wait(f"'{repository}' cannot be read ({_reason(error)}): the data is tokenized here")
        return None
    schema = sample_schema()
    with (staging / SAMPLES).open("wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        writer.write_table(table.cast(schema), max_chunksize=_BATCH)
    return {name: value for name, value in about.items() if name != "bytes"}


def _reason(error: Exception) -> str:
    """Return why the hub refused, in a line, without any token that stands in it."""
    told = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    return _TOKEN.sub("hf_...", told)
