"""An adapter that training goes on from: ``lora_model_dir``. Reading it is torch-free, so that a plan knows it.

Its shape (rank, strength, layers, and which rows of the embeddings train) is its own: what the config leaves out comes from the
adapter's ``adapter_config.json``, and what the config says otherwise is an error.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ft_core.errors import ModelError
from ft_core.models.source import explain_load_error

if TYPE_CHECKING:
    import torch
    from peft import PeftModel

    from ft_core.config import Config

SETTINGS = "adapter_config.json"

KEYS: Mapping[str, str] = {
    "lora_r": "r",
    "lora_alpha": "lora_alpha",
    "lora_target_modules": "target_modules",
    "lora_target_parameters": "target_parameters",
    "lora_modules_to_save": "modules_to_save",
    "lora_rank_pattern": "rank_pattern",
    "lora_alpha_pattern": "alpha_pattern",
    "peft_use_rslora": "use_rslora",
    "peft_use_dora": "use_dora",
    "peft_layers_to_transform": "layers_to_transform",
    "peft_layers_pattern": "layers_pattern",
}
"""Keys whose values are the adapter's, and PEFT's names of them."""

TARGETS = ("lora_target_modules", "lora_target_parameters")
"""Keys that say which layers, which may be written in other words."""

_UNSUPPORTED = (
    "exclude_modules",
    "layer_replication",
    "lora_bias",
    "megatron_config",
    "alora_invocation_tokens",
)


@dataclass(frozen=True)
class StartAdapter:
    """An adapter as its files describe it.

    Attributes
    ----------
    folder
        Where they are.
    base
        The model that it names as its own; empty where it names none.
    values
        Its settings, by the config's keys.
    dropout
        What it was trained with.
    token_rows
        Ids of the tokens whose rows it brings, by the end of the name of the layer; an empty name is the input embedding.
    """

    folder: Path
    base: str
    values: Mapping[str, Any]
    dropout: float
    token_rows: Mapping[str, tuple[int, ...]]


def read_start(config: Config) -> StartAdapter | None:
    """Return the adapter that `config` starts from; None where it starts a new one.

    Raises
    ------
    ModelError
        There is no such adapter, or it is none that training can go on from.
    """
    if config.lora_model_dir is None or not config.adapter:
        return None
    name = config.lora_model_dir
    folder = _folder(name)
    try:
        settings: Any = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        kind = settings.get("peft_type")
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(
            f"'{folder / SETTINGS}' cannot be read: {error}.", "Save the adapter again."
        ) from error
    if kind != "LORA":
        raise ModelError(
            f"The adapter '{name}' is of the kind '{kind}', and training goes on from LoRA adapters.",
            "Remove lora_model_dir to start a new one.",
        )
    strange = [key for key in _UNSUPPORTED if settings.get(key)]
    if settings.get("bias", "none") != "none":
        strange.append("bias")
    if strange:
        raise ModelError(
            f"The adapter '{name}' has {', '.join(strange)}, which training does not do here.",
            "Merge it into its model, and start a new adapter on that.",
        )
    flags = {key: bool(settings.get(KEYS[key])) for key in ("peft_use_rslora", "peft_use_dora")}
    return StartAdapter(
        folder=folder,
        base=settings.get("base_model_name_or_path") or "",
        values={**{key: _plain(settings.get(name)) for key, name in KEYS.items()}, **flags},
        dropout=float(settings.get("lora_dropout") or 0),
        token_rows=_rows(settings.get("trainable_token_indices")),
    )


def adopted(config: Config, start: StartAdapter | None) -> Config:
    """Return `config` with the shape of the adapter that it starts from."""
    if start is None:
        return config
    values: dict[str, Any] = {**start.values, "lora_target_linear": False, "peft_init_lora_weights": None}
    if config.origin("lora_dropout").kind in ("default", "derived"):
        values["lora_dropout"] = start.dropout
    asked = config.peft_trainable_token_indices
    if start.token_rows or isinstance(asked, Mapping):
        given: Mapping[str, tuple[int, ...]] = asked if isinstance(asked, Mapping) else {"": asked or ()}
        names = dict.fromkeys((*start.token_rows, *given))
        values["peft_trainable_token_indices"] = {
            name: tuple(sorted({*start.token_rows.get(name, ()), *given.get(name, ())}))
            for name in names
            if start.token_rows.get(name) or given.get(name)
        }
    return config.model_copy(update=values)


def load_start(model: PeftModel, start: StartAdapter) -> None:
    """Give the new adapter of `model`, which has the shape of `start`, its weights.

    Parameters
    ----------
    model
        The base with an adapter, of `ft_core.models.adapter.apply_adapter`.
    start
        The adapter that training goes on from.

    Raises
    ------
    ModelError
        They are those of another model.
    """
    from peft.utils import get_peft_model_state_dict, load_peft_weights, set_peft_model_state_dict

    stored: dict[str, torch.Tensor] = load_peft_weights(str(start.folder), device="cpu")
    own: dict[str, torch.Tensor] = get_peft_model_state_dict(model, save_embedding_layers=False)
    stored = {name: _with_new_rows(name, tensor, own, model, start) for name, tensor in stored.items()}
    unknown, missing = sorted(stored.keys() - own.keys()), sorted(own.keys() - stored.keys())
    other = [name for name in stored if name in own and stored[name].shape != own[name].shape]
    if unknown or missing or other:
        name = (*other, *unknown, *missing)[0]
        if other:
            why = f"its '{name}' is of shape {tuple(stored[name].shape)}, where {tuple(own[name].shape)} is needed"
        else:
            why = f"it {'has' if unknown else 'lacks'} '{name}'"
        raise ModelError(
            f"The adapter in '{start.folder}' does not fit this base model: {why}.",
            f"Set base_model to the model that it was trained on{f', {start.base!r}' if start.base else ''}.",
        )
    set_peft_model_state_dict(model, stored)
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()


def _with_new_rows(
    name: str, tensor: torch.Tensor, own: Mapping[str, torch.Tensor], model: PeftModel, start: StartAdapter
) -> torch.Tensor:
    """Return stored rows of tokens among those of tokens that are new since, which keep what they begin with."""
    if not name.endswith("trainable_tokens_delta") or name not in own or tensor.shape == own[name].shape:
        return tensor
    path = name.removeprefix("base_model.model.").rsplit(".token_adapter", 1)[0]
    config: Any = next(iter(model.peft_config.values()))
    indices: Any = config.trainable_token_indices
    ends = {
        end: list(ids)
        for end, ids in indices.items()
        if path == end or path.endswith(f".{end}") or end == path
    }
    now: list[int] = next(iter(ends.values()), [])
    then = next((ids for end, ids in start.token_rows.items() if not end or path.endswith(end)), ())
    if len(then) != len(tensor) or not set(then) <= set(now):
        return tensor
    rows = own[name].detach().clone().to("cpu", tensor.dtype)
    for index, row in zip(then, tensor, strict=True):
        rows[now.index(index)] = row
    return rows


def _folder(name: str) -> Path:
    """Return the folder of an adapter: itself, what a run's directory ends in, or what the hub has."""
    folder = Path(name).expanduser()
    for place in (folder, folder / "final"):
        if (place / SETTINGS).is_file():
            return place.absolute()
    if folder.is_dir():
        raise ModelError(
            f"'{name}' holds no adapter: it has no {SETTINGS}, and neither has its folder 'final'.",
            "Name the folder of an adapter, a checkpoint, or a run that is done.",
        )
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=[SETTINGS, "adapter_model.*"]))
    except Exception as error:
        if explained := explain_load_error(error, name, "adapter"):
            raise explained from error
        raise


def _plain(value: Any) -> Any:
    """Return a setting as the config keeps it: None where it says nothing."""
    if isinstance(value, list):
        return tuple(sorted(cast("list[Any]", value))) or None
    return value or None


def _rows(value: Any) -> dict[str, tuple[int, ...]]:
    if isinstance(value, Mapping):
        return {name: tuple(ids) for name, ids in cast("Mapping[str, Iterable[int]]", value).items()}
    return {"": tuple(value)} if value else {}
