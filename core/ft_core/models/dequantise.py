"""A base whose weights were kept in few bits, with whole weights again: those that its layers computed with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

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
        A model whose linear layers are bitsandbytes' own, in 4 or 8 bit.
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
        for own, weight in module.named_parameters(recurse=False):
            if type(weight).__name__ in ("Params4bit", "Int8Params"):
                full = dequantised_weight(module)
                if isinstance(whole.get_submodule(path), Conv1D):
                    full = full.T.contiguous()
            else:
                full = weight.data
            state[f"{path}.{own}"] = full.to(dtype)
    state.update({path: buffer for path, buffer in base.named_buffers() if path in whole.state_dict()})
    whole.load_state_dict(state, strict=False, assign=True)
    whole.tie_weights()
    keep_scale(whole)
    whole.generation_config = base.generation_config or GenerationConfig()
    whole.requires_grad_(False)
    return whole.eval()
