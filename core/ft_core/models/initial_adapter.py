"""Adapters that begin as a part of the model's own weights: PiSSA and OLoRA.

PEFT takes the product of the first matrices off the weights, so that the model says the same at first: it trains ``B A`` on
``W - B0 A0``. What is saved is an adapter of the model as it is, twice as high: ``B A - B0 A0`` is the product of ``[B, -B0]``
and ``[A; A0]``. It loads, merges and chats as any other. A run that goes on takes its own matrices out of it again, bit by bit.

Papers: PiSSA (Meng et al. 2024, https://arxiv.org/abs/2404.02948), OLoRA (Buyukakyuz 2024, https://arxiv.org/abs/2406.01775).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ft_core.errors import ModelError

if TYPE_CHECKING:
    import torch

    from ft_core.config import Config

_WEIGHTS, _SETTINGS = "adapter_model.safetensors", "adapter_config.json"
_KEPT = "ft_initial_adapter"


def takes_from_weights(config: Config) -> bool:
    """Say whether the config's adapter begins as a part of the weights that it stands beside."""
    init = config.peft_init_lora_weights
    return isinstance(init, str) and re.fullmatch(r"pissa(_niter_\d+)?|olora", init) is not None


def keep_initial(model: Any) -> None:
    """Remember the first matrices of the adapter of `model`, a ``PeftModel``, for when it is saved."""
    state = _state(model)
    setattr(
        model,
        _KEPT,
        {name: tensor.detach().cpu().clone() for name, tensor in state.items() if _axis(name) is not None},
    )


def initial_of(model: Any) -> Mapping[str, torch.Tensor] | None:
    """Return what `keep_initial` remembered; None for a model whose weights nothing was taken from."""
    return getattr(model, _KEPT, None)


def widen_saved(folder: Path, initial: Mapping[str, torch.Tensor]) -> None:
    """Make the adapter that PEFT saved in `folder` one of the model as it is.

    Parameters
    ----------
    folder
        What ``save_pretrained`` wrote.
    initial
        The adapter's first matrices.
    """
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / _WEIGHTS)
    for name, first in initial.items():
        axis = 0 if _axis(name) == 0 else 1
        trained = tensors[name]
        tensors[name] = _joined(trained, first.to(trained) if axis == 0 else -first.to(trained), axis)
    save_file(tensors, folder / _WEIGHTS, metadata={"format": "pt"})
    settings: dict[str, Any] = json.loads((folder / _SETTINGS).read_text(encoding="utf-8"))
    # The strength of an adapter is alpha divided by its rank.
    for key in ("r", "lora_alpha"):
        settings[key] *= 2
    for key in ("rank_pattern", "alpha_pattern"):
        settings[key] = {pattern: 2 * value for pattern, value in (settings.get(key) or {}).items()}
    settings["init_lora_weights"] = True
    (folder / _SETTINGS).write_text(json.dumps(settings, indent=2, sort_keys=True), encoding="utf-8")


def load_narrowed(model: Any, folder: Path) -> None:
    """Give the adapter of `model` the matrices that `widen_saved` left in `folder`.

    Parameters
    ----------
    model
        The model of the run that saved them, begun anew.
    folder
        A checkpoint.

    Raises
    ------
    ModelError
        The model begins with other matrices than that run did.
    """
    import torch
    from peft.utils import set_peft_model_state_dict
    from safetensors.torch import load_file

    tensors = load_file(folder / _WEIGHTS)
    for name, first in (initial_of(model) or {}).items():
        axis = 0 if _axis(name) == 0 else 1
        stored = tensors.get(name)
        if stored is None or stored.shape[axis] != 2 * first.shape[axis]:
            raise ModelError(
                f"The checkpoint '{folder}' was trained with another adapter than the config names.",
                "Go on with the config of the run that wrote it.",
            )
        trained, begun = stored.split(first.shape[axis], dim=axis)
        if not torch.equal(begun if axis == 0 else -begun, first.to(begun)):
            raise ModelError(
                f"The weights come apart otherwise on this machine than where the checkpoint '{folder}' was written.",
                "Go on where the run began, or write 'lora_model_dir' with that folder in place of 'resume_from_checkpoint'.",
            )
        tensors[name] = trained.contiguous()
    set_peft_model_state_dict(model, tensors)


def _state(model: Any) -> dict[str, torch.Tensor]:
    from peft.utils import get_peft_model_state_dict

    return get_peft_model_state_dict(model, save_embedding_layers=False)


def _axis(name: str) -> int | None:
    """Return the dimension of a matrix of an adapter that its rank is; None for other weights."""
    return 0 if ".lora_A." in name else 1 if ".lora_B." in name else None


def _joined(trained: torch.Tensor, first: torch.Tensor, axis: int) -> torch.Tensor:
    import torch

    return torch.cat([trained, first], dim=axis).contiguous()
