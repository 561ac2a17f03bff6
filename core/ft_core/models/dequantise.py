"""A base whose weights were kept in few bits, with whole weights again: those that its layers computed with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from ft_core.models.gptq import is_packed
from ft_core.models.load import keep_scale
from ft_core.models.quantise import dequantised_weight

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def whole_model(
    quantised: PreTrainedModel,
    name: str,
    revision: str | None,
    trust_remote_code: bool,
    *,
    dtype: torch.dtype,
) -> PreTrainedModel:
    """Return the model that `quantised` stands for, with whole weights.

    Built from the base's own classes: transformers' ``dequantize`` leaves ``nn.Linear`` where GPT-2 has its transposed
    ``Conv1D``, and a checkpoint saved of that would be read wrong.

    Parameters
    ----------
    quantised
        A model whose linear layers are bitsandbytes' or gptqmodel's own.
    name, revision, trust_remote_code
        Where it came from, for its config and classes.
    dtype
        Format of the whole weights.
    """
    from accelerate import init_empty_weights
    from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig
    from transformers.pytorch_utils import Conv1D

    base: Any = quantised
    options: dict[str, Any] = {"trust_remote_code": trust_remote_code}
    settings: Any = AutoConfig.from_pretrained(name, revision=revision or "main", **options)
    if hasattr(settings, "quantization_config"):
        del settings.quantization_config
    settings.get_text_config().vocab_size = base.config.get_text_config().vocab_size
    with init_empty_weights(include_buffers=False):
        whole: Any = AutoModelForCausalLM.from_config(settings, **options)
    state: dict[str, torch.Tensor] = {}
    for path, module in base.named_modules():
        of_conv1d = path and isinstance(whole.get_submodule(path), Conv1D)
        for own, weight in _stored_weights(module).items():
            if own == "weight" and _is_in_few_bits(module, weight):
                full = dequantised_weight(module)
                full = full.T.contiguous() if of_conv1d else full
            else:
                full = weight.data
            state[f"{path}.{own}"] = full.to(dtype)
    kept = whole.state_dict().keys() - state.keys()
    state.update({path: buffer for path, buffer in base.named_buffers() if path in kept})
    whole.load_state_dict(state, strict=False, assign=True)
    whole.tie_weights()
    keep_scale(whole)
    whole.generation_config = base.generation_config or GenerationConfig()
    whole.requires_grad_(False)
    return whole.eval()


def _stored_weights(module: Any) -> dict[str, torch.Tensor]:
    """Return what a module itself keeps, by the names that a whole one has for it."""
    if not is_packed(module):
        return dict(module.named_parameters(recurse=False))
    bias = {} if module.bias is None else {"bias": module.bias}
    return {"weight": module.qweight, **bias}


def _is_in_few_bits(module: Any, weight: torch.Tensor) -> bool:
    return is_packed(module) or type(weight).__name__ in ("Params4bit", "Int8Params")
