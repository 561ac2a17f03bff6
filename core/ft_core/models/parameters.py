"""How many parameters a model has and how many an adapter adds, read from file headers alone.

A safetensors file opens with eight bytes (the header's length, little endian) and a JSON header that gives every
tensor's shape, so a model of any size is counted by reading some kilobytes.
Format: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
import math
import os
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HEADER_LIMIT = 100_000_000  # the format's own bound on the header, in bytes
_NETWORK_SECONDS = 3.0
_EMBEDDINGS = (
    "embed_tokens",
    "wte",
    "wpe",
    "word_embeddings",
    "embed_in",
    "embed_positions",
    "embeddings",
    "shared",
)
_HEADS = ("lm_head", "embed_out", "score")
# Mixtures of experts keep each expert's matrices apart on disk, but Transformers 5 fuses them into one parameter that
# is no linear layer, so adapters on linear layers leave them out.
_EXPERT = re.compile(r"\.experts\.\d+\.")


@dataclass(frozen=True)
class ParameterCount:
    """A model's parameters by name.

    Attributes
    ----------
    total
        Parameters of the model, tied weights counted once.
    shapes
        Shape of every tensor on disk, by its name.
    """

    total: int
    shapes: Mapping[str, tuple[int, ...]]

    def linear_layers(self) -> dict[str, tuple[int, int]]:
        """Return the linear layers, without embeddings and output head: module name to ``(out, in)``."""
        layers: dict[str, tuple[int, int]] = {}
        for name, shape in self.shapes.items():
            module, _, leaf = name.rpartition(".")
            last = module.rsplit(".", 1)[-1]
            if leaf != "weight" or len(shape) != 2 or last in _EMBEDDINGS + _HEADS or _EXPERT.search(name):
                continue
            layers[module] = (shape[0], shape[1])
        return layers


def count_parameters(base_model: str, revision: str | None = None) -> ParameterCount | None:
    """Count the parameters of a local folder, a model in the hub's cache, or a model on the hub.

    Parameters
    ----------
    base_model
        A folder or a hub id, as the config names it.
    revision
        The hub revision; ignored for a folder.

    Returns
    -------
    ParameterCount or None
        None where nothing tells: no safetensors files, or a hub that does not answer within three seconds.
    """
    folder = Path(base_model).expanduser()
    if folder.is_dir():
        return count_folder(folder)
    if (cached := _cached_folder(base_model, revision)) is not None and (
        count := count_folder(cached)
    ) is not None:
        return count
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return None
    return _count_on_hub(base_model, revision)


def count_folder(folder: Path) -> ParameterCount | None:
    """Count the parameters in the safetensors files of `folder`; None if it has none that can be read."""
    shapes: dict[str, tuple[int, ...]] = {}
    for file in sorted(folder.glob("*.safetensors")):
        if file.name.startswith("adapter_"):
            continue
        header = read_header(file)
        if header is None:
            return None
        shapes.update(header)
    return _count(shapes, model_config(folder)) if shapes else None


def read_header(file: Path) -> dict[str, tuple[int, ...]] | None:
    """Return the shape of every tensor in a safetensors file, or None if it is not one."""
    with file.open("rb") as stream:
        size = int.from_bytes(stream.read(8), "little")
        if not 2 <= size <= _HEADER_LIMIT:
            return None
        try:
            header = json.loads(stream.read(size))
        except ValueError:
            return None
    return {name: tuple(entry["shape"]) for name, entry in header.items() if name != "__metadata__"}


def model_config(folder: Path) -> dict[str, Any]:
    """Return the ``config.json`` of a model folder, empty where it has none."""
    file = folder / "config.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def local_model_config(base_model: str, revision: str | None = None) -> dict[str, Any]:
    """Return the ``config.json`` of `base_model` from its folder or the hub's cache, empty where neither has it."""
    folder = Path(base_model).expanduser()
    if not folder.is_dir():
        folder = _cached_folder(base_model, revision) or folder
    return model_config(folder)


def adapter_parameters(
    count: ParameterCount,
    *,
    rank: int,
    target_modules: str | Iterable[str],
    modules_to_save: Iterable[str] = (),
    use_dora: bool = False,
) -> int:
    """Return how many parameters a LoRA adapter trains.

    Each adapted layer of shape ``(out, in)`` gains ``A: (rank, in)`` and ``B: (out, rank)``, and with DoRA a
    magnitude for every output; a module to save is trained whole.
    Source: Hu et al. 2021, https://arxiv.org/abs/2106.09685; DoRA: https://arxiv.org/abs/2402.09353

    Parameters
    ----------
    count
        The base model's parameters.
    rank
        Rank of the update.
    target_modules
        ``all-linear``, a regular expression over whole module names, or names (a module whose dotted name ends in one
        of them matches), as in PEFT.
    modules_to_save
        Names of modules trained in full beside the adapter.
    use_dora
        Whether each layer also gets a magnitude vector.
    """
    layers = count.linear_layers()
    if isinstance(target_modules, str):
        if target_modules != "all-linear":
            layers = {name: shape for name, shape in layers.items() if re.fullmatch(target_modules, name)}
    else:
        targets = tuple(target_modules)
        layers = {name: shape for name, shape in layers.items() if _names(name, targets)}
    trained = sum(rank * (rows + columns) + (rows if use_dora else 0) for rows, columns in layers.values())
    saved = tuple(modules_to_save)
    for name, shape in count.shapes.items():
        if saved and _names(name.rpartition(".")[0], saved):
            trained += math.prod(shape)
    return trained


def _names(module: str, targets: tuple[str, ...]) -> bool:
    """Say whether `module` is one of `targets` or lies under one, by whole dotted parts at its end."""
    return any(module == target or module.endswith("." + target) for target in targets)


def _count(shapes: dict[str, tuple[int, ...]], config: Mapping[str, Any]) -> ParameterCount:
    """Sum the shapes, leaving out an output head that repeats the embedding it is tied to."""
    total = sum(math.prod(shape) for shape in shapes.values())
    if config.get("tie_word_embeddings", False):
        for name, shape in shapes.items():
            module = name.rpartition(".")[0].rsplit(".", 1)[-1]
            has_embedding = any(
                other != name and other.rpartition(".")[0].rsplit(".", 1)[-1] in _EMBEDDINGS and twin == shape
                for other, twin in shapes.items()
            )
            if module in _HEADS and has_embedding:
                total -= math.prod(shape)
    return ParameterCount(total, shapes)


def _cached_folder(repo_id: str, revision: str | None) -> Path | None:
    """Return the folder of the hub's cache that holds `repo_id`, or None."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        config = try_to_load_from_cache(repo_id, "config.json", revision=revision)
    except HFValidationError:
        return None  # not the form of a hub id, so in no cache
    return Path(config).parent if isinstance(config, str) else None


def _count_on_hub(repo_id: str, revision: str | None) -> ParameterCount | None:
    """Ask the hub for the headers, and give up after three seconds: a plan does not wait for a slow network."""
    found: list[ParameterCount] = []

    def ask() -> None:
        from huggingface_hub import get_safetensors_metadata
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, NotASafetensorsRepoError

        try:
            metadata = get_safetensors_metadata(repo_id, revision=revision)
        except (OSError, HFValidationError, HfHubHTTPError, NotASafetensorsRepoError):
            return  # offline, missing or gated: loading will say which, a plan goes without the count
        shapes: dict[str, tuple[int, ...]] = {}
        for file in metadata.files_metadata.values():
            shapes.update({name: tuple(info.shape) for name, info in file.tensors.items()})
        found.append(_count(shapes, {}))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_NETWORK_SECONDS)
    return found[0] if found else None
