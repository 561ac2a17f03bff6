"""An adapter added into whole weights."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from peft.tuners.lora import LoraLayer
from peft.tuners.tuners_utils import BaseTunerLayer

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel


def add_adapter(
    model: PeftModel, tell: Callable[[str, int, int | None], None]
) -> tuple[PreTrainedModel, list[str]]:
    """Add the adapter of `model` into its base's weights and return the base, and what there is to know of it.

    Each layer is fp32 while it is added to. An output head that is tied to the embeddings stays so, unless the adapter
    changed one of them alone: then both are saved (https://github.com/huggingface/transformers/issues/45127).

    Parameters
    ----------
    model
        The adapter on its whole base.
    tell
        Called with the layers that are done.
    """
    base: Any = model.get_base_model()
    tied = bool(getattr(base.config.get_text_config(), "tie_word_embeddings", False))
    if tied:
        _part_adapted_ends(base)
    layers: list[Any] = [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
    with warnings.catch_warnings(), torch.no_grad():
        # PEFT warns of layers that are merged already when it takes them off, and of ties, which are looked at below.
        warnings.simplefilter("ignore")
        for number, layer in enumerate(layers):
            tell("merging", number, len(layers))
            holder = layer.get_base_layer()
            dtype = next(holder.parameters()).dtype
            holder.float()
            layer.merge()
            holder.to(dtype)
        merged: Any = model.merge_and_unload()
    tell("merging", len(layers), len(layers))
    notes: list[str] = []
    if tied:
        embedding, head = merged.get_input_embeddings(), merged.get_output_embeddings()
        same = head is None or torch.equal(embedding.weight, head.weight)
        merged.config.get_text_config().tie_word_embeddings = same
        if head is not None and same:
            head.weight = embedding.weight
        elif not same:
            notes.append(
                "the adapter changed one of embeddings and output head alone, so they are no longer tied"
            )
    return merged, notes


def _part_adapted_ends(base: Any) -> None:
    """Give the output head a weight of its own where an adapter's matrices are on it or on the embeddings it is tied to."""
    ends = (base.get_input_embeddings(), base.get_output_embeddings())
    if any(isinstance(end, LoraLayer) for end in ends) and ends[1] is not None:
        head: Any = ends[1].get_base_layer() if isinstance(ends[1], LoraLayer) else ends[1]
        head.weight = torch.nn.Parameter(head.weight.data.clone(), requires_grad=False)
