"""Whether the documents of a packed row are computed as if each were alone: asked of the model itself before it trains.

A model whose documents see each other trains without an error, towards something else. What a family does changes with
the versions of the libraries, and nobody has looked at a model with its own code; so two short documents go through the
model before the first step, together and apart.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from ft_core.data import Sample
from ft_core.data.collate import PackCollator, document_mask
from ft_core.errors import ModelError

if TYPE_CHECKING:
    from ft_core.models.attention import IsolatedBy

# Shares of the effect that a neighbour has where nothing keeps documents apart. Rounding is 1e-6 of that in fp32, and up
# to 0.01 in 16 bits; a real leak is 0.1 and more.
_MOST = {"fp32": 1e-3, "bf16": 0.05, "fp16": 0.05}
_TOKENS = 8


def model_inputs(batch: dict[str, Any], by: IsolatedBy | None) -> dict[str, Any]:
    """Return what a model is called with, for a batch of `ft_core.data.collate`.

    Parameters
    ----------
    batch
        Tensors; packed rows have ``document_ids``.
    by
        What keeps the documents of a packed row apart in this model (`ft_core.models.attention`).
    """
    if "document_ids" not in batch:
        return batch
    inputs = {name: value for name, value in batch.items() if name != "document_ids"}
    if by == "mask":
        inputs["attention_mask"] = document_mask(batch["document_ids"])
    if by == "varlen":
        from ft_core.models.varlen import document_bounds

        inputs |= document_bounds(batch["position_ids"])
    # A cache makes Transformers take a row for one document, whatever its position_ids say.
    return {**inputs, "use_cache": False}


def check_isolation(
    model: Any,
    by: IsolatedBy | None,
    *,
    compute: Literal["bf16", "fp16", "fp32"],
    device: torch.device,
    autocast: AbstractContextManager[Any],
) -> None:
    """Raise where documents of a packed row change each other's logits.

    Parameters
    ----------
    model, by
        The model, and what keeps documents apart in it.
    compute
        The number format that it computes in, which says how much rounding there is.
    device, autocast
        Where it is, and the context that makes it compute in that format.

    Raises
    ------
    ModelError
        They do.
    """
    training = model.training
    model.eval()  # without dropout, which differs from call to call
    try:
        with torch.no_grad(), autocast:
            leak = leaked_share(model, by, device)
    finally:
        model.train(training)
    if leak > _MOST[compute]:
        raise ModelError(
            "'sample_packing' cannot be used with this model: the documents of a row change each other, "
            f"by {leak:.2g} of what they would if nothing kept them apart.",
            "Remove 'sample_packing' from the config; 'group_by_length: true' keeps padding low without it.",
        )


def leaked_share(model: Any, by: IsolatedBy | None, device: torch.device) -> float:
    """Return how much of a neighbour's effect reaches a document in a packed row: 0 for none, 1 where nothing stops it.

    The second document of a row is compared with itself as the first one of its row, and, so that a document that is
    right by its place alone does not pass, after another first document.
    """
    ids = np.random.default_rng(0).integers(model.get_input_embeddings().weight.shape[0], size=(3, _TOKENS))
    first, other, second = (Sample(each, each, (), 0, "") for each in ids)
    collate = PackCollator(pad_token_id=0)

    def logits(before: tuple[Sample, ...], after: tuple[Sample, ...] = ()) -> torch.Tensor:
        """Return the logits of the second document, packed between others."""
        batch = collate([(*before, second, *after)])
        del batch["labels"]
        inputs = model_inputs({name: tensor.to(device) for name, tensor in batch.items()}, by)
        start = len(before) * _TOKENS
        return model(**inputs).logits[0, start : start + _TOKENS].float()

    alone = logits((), (first,))
    row = torch.tensor(np.concatenate([ids[0], ids[2]]), device=device)[None]
    reached = model(input_ids=row, use_cache=False).logits[0, _TOKENS:].float()
    effect = (reached - alone).norm(dim=-1).clamp(min=1e-6)
    shares = [(logits((before,)) - alone).norm(dim=-1) / effect for before in (first, other)]
    return max(share.mean().item() for share in shares)
