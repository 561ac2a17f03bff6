"""What a model is made of, as the headers of its weight files tell, and what its ``config.json`` says. Torch-free.

A safetensors file opens with eight bytes (the header's length, little endian) and a JSON header that gives every
tensor's shape, so a model of any size is outlined by reading some kilobytes.
Format: https://github.com/huggingface/safetensors#format

Names and shapes on disk are mostly those of the loaded model, not always: `ft_core.models.skeleton` knows for certain.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from ft_core.errors import ModelError
from ft_core.models.outline import Module, ModuleKind, Outline, read_past
from ft_core.models.source import is_offline

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
_OF_POSITIONS = ("wpe", "embed_positions")
_HEADS = ("lm_head", "embed_out", "score")
POSITION_KEYS = ("max_position_embeddings", "n_positions", "max_seq_len")
"""What configs call the number of positions."""

# Mixtures of experts keep each expert's matrices apart on disk, but Transformers 5 fuses them into one parameter that
# is no linear layer, so adapters on linear layers leave them out.
_EXPERT = re.compile(r"\.experts\.\d+\.")


def read_outline(base_model: str, revision: str | None = None) -> Outline | None:
    """Return the outline of a local folder, a model in the hub's cache, or a model on the hub.

    Parameters
    ----------
    base_model
        A folder or a hub id, as the config names it.
    revision
        The hub revision; ignored for a folder.

    Returns
    -------
    Outline or None
        None where nothing tells: no safetensors files, or a hub that does not answer within three seconds.
    """
    folder = model_folder(base_model, revision)
    if folder is not None and (outline := outline_folder(folder)) is not None:
        return outline
    if Path(base_model).expanduser().is_dir() or is_offline():
        return None
    return _outline_on_hub(base_model, revision)


def outline_folder(folder: Path) -> Outline | None:
    """Return the outline of the safetensors files of `folder`; None if it has none that can be read, or packed weights."""
    if "quantization_config" in model_config(folder):
        return None  # several weights share a number there, so shapes tell nothing
    shapes: dict[str, tuple[int, ...]] = {}
    for file in sorted(folder.glob("*.safetensors")):
        if file.name.startswith("adapter_"):
            continue
        header = read_header(file)
        if header is None:
            return None
        shapes.update(header)
    return _outline(shapes, model_config(folder)) if shapes else None


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
    """Return the ``config.json`` of a model folder, empty where it has none.

    Raises
    ------
    ModelError
        It cannot be read as JSON.
    """
    file = folder / "config.json"
    if not file.is_file():
        return {}
    try:
        loaded: object = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            f"The config.json of the model in '{folder}' cannot be read: {error}.",
            "Download or save the model again.",
        ) from error
    if not isinstance(loaded, dict):
        raise ModelError(
            f"The config.json of the model in '{folder}' holds no map of keys.",
            "Download or save the model again.",
        )
    return cast("dict[str, Any]", loaded)


def local_model_config(base_model: str, revision: str | None = None) -> dict[str, Any]:
    """Return the ``config.json`` of `base_model` from its folder or the hub's cache, empty where neither has it."""
    folder = model_folder(base_model, revision)
    return {} if folder is None else model_config(folder)


def model_folder(base_model: str, revision: str | None = None) -> Path | None:
    """Return the folder on this machine that holds the ``config.json`` of `base_model`, its own or the hub cache's."""
    folder = Path(base_model).expanduser()
    if not folder.is_dir():
        return _cached_folder(base_model, revision)
    return folder if (folder / "config.json").is_file() else None


def _outline(shapes: Mapping[str, tuple[int, ...]], config: Mapping[str, Any]) -> Outline:
    """Return the outline of the tensors, leaving out of the total an output head that repeats the embedding it is tied to."""
    parameters: dict[str, int] = {}
    kinds: dict[str, tuple[ModuleKind, tuple[int, ...]]] = {}
    for name, shape in shapes.items():
        path, _, leaf = name.rpartition(".")
        parts = path.split(".") if path else []
        for length in range(1, len(parts) + 1):
            within = ".".join(parts[:length])
            parameters[within] = parameters.get(within, 0) + math.prod(shape)
        if leaf == "weight" and len(shape) == 2 and not _EXPERT.search(name):
            kinds[path] = ("embedding" if parts and parts[-1] in _EMBEDDINGS else "linear", shape)
    modules: dict[str, Module] = {}
    never = read_past(str(config.get("model_type", "")))
    for path, count in parameters.items():
        kind, shape = ("other", ()) if path.endswith(never) else kinds.get(path, ("other", ()))
        outputs = (shape[1] if kind == "embedding" else shape[0]) if shape else 0
        modules[path] = Module(kind, count, sum(shape), outputs)
    head = next((path for path in modules if path.rsplit(".", 1)[-1] in _HEADS), "")
    embedding = next(
        (
            path
            for path, (kind, _) in kinds.items()
            if kind == "embedding" and not path.endswith(_OF_POSITIONS)
        ),
        "",
    )
    tied: tuple[str, ...] = ()
    if config.get("tie_word_embeddings", False):
        tied = tuple(path for path in (embedding, head) if path)
    total = sum(math.prod(shape) for shape in shapes.values())
    twins = len(tied) == 2 and kinds.get(tied[0], ("", ()))[1] == kinds.get(tied[1], ("", (0,)))[1]
    weights = {name: tuple(shape) for name, shape in shapes.items()}
    if twins:
        del weights[f"{head}.weight"]
    return Outline(
        total=total - modules[head].parameters if twins else total,
        modules=modules,
        embedding=embedding,
        output_head=head,
        tied=tied,
        weights=weights,
        twins={f"{head}.weight": f"{embedding}.weight"} if len(tied) == 2 else {},
        positions=positions(config),
    )


def positions(config: Mapping[str, Any]) -> int | None:
    """Return how many positions a ``config.json`` says that its model has, by whichever of its names."""
    return first_number(text_config(config), *POSITION_KEYS) or None


def first_number(config: Mapping[str, Any], *names: str) -> int:
    """Return the first of several spellings that `config` has as a whole number above 0, or 0."""
    values = (config.get(name) for name in names)
    return next(
        (value for value in values if isinstance(value, int) and not isinstance(value, bool) and value > 0), 0
    )


def layer_count(model_config: Mapping[str, Any]) -> int:
    """Return how many layers a model's ``config.json`` says it has, or 0."""
    return first_number(text_config(model_config), "num_hidden_layers", "n_layer", "n_layers")


def text_config(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the part of a ``config.json`` that describes the language model: the whole, but for multimodal models."""
    inner = config.get("text_config")
    return cast("Mapping[str, Any]", inner) if isinstance(inner, Mapping) else config


def _cached_folder(repo_id: str, revision: str | None) -> Path | None:
    """Return the folder of the hub's cache that holds `repo_id`, or None."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        config = try_to_load_from_cache(repo_id, "config.json", revision=revision)
    except HFValidationError:
        return None  # not the form of a hub id, so in no cache
    return Path(config).parent if isinstance(config, str) else None


def fetch_model_config(base_model: str, revision: str | None, *, with_code: bool) -> None:
    """Bring a hub model's ``config.json`` into the hub's cache, and its Python files too where they are to be run.

    Nothing is raised where that fails within some seconds: `model_folder` then says that it is not here.

    Parameters
    ----------
    base_model, revision
        As the config names them.
    with_code
        Whether the model's own code is trusted.
    """
    if Path(base_model).expanduser().is_dir() or is_offline():
        return

    def fetch() -> None:
        from huggingface_hub import snapshot_download

        patterns = ["config.json", *(["*.py"] if with_code else [])]
        with contextlib.suppress(*_hub_errors()):
            snapshot_download(base_model, revision=revision, allow_patterns=patterns)

    _within(_NETWORK_SECONDS, fetch)


def _outline_on_hub(repo_id: str, revision: str | None) -> Outline | None:
    """Ask the hub for the headers, and give up after three seconds: a plan does not wait for a slow network."""
    found: list[Outline] = []

    def ask() -> None:
        from huggingface_hub import get_safetensors_metadata

        # Offline, missing or gated: loading will say which, a plan goes without the figures.
        with contextlib.suppress(*_hub_errors()):
            metadata = get_safetensors_metadata(repo_id, revision=revision)
            shapes: dict[str, tuple[int, ...]] = {}
            for file in metadata.files_metadata.values():
                shapes.update({name: tuple(info.shape) for name, info in file.tensors.items()})
            found.append(_outline(shapes, {}))

    _within(_NETWORK_SECONDS, ask)
    return found[0] if found else None


def _within(seconds: float, task: Callable[[], None]) -> None:
    """Run `task` and wait at most so long for it; it goes on by itself where it takes longer."""
    thread = threading.Thread(target=task, daemon=True)
    thread.start()
    thread.join(seconds)


def _hub_errors() -> tuple[type[Exception], ...]:
    """Return what asking the hub may raise."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, NotASafetensorsRepoError

    return OSError, HFValidationError, HfHubHTTPError, NotASafetensorsRepoError
