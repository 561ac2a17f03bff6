"""Keys of the number formats that weights are kept in and training computes in."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import Choice, Flag, FreeMap, Planned

Nf4Backend = Literal["bitsandbytes", "torchao"]
QuantizationConfig = Literal["Mxfp4Config", "FineGrainedFP8Config"]

UNQUANTISED = Planned(
    "remove it: weights are kept in 16 bit; 'gradient_checkpointing: true' or a smaller base_model saves memory"
)
NOT_AFTERWARDS = Planned("remove it, and quantise the tuned model when the run is done")


class QuantizationKeys(Topic):
    """Number formats, and quantised base models."""

    bf16: Annotated[bool | Literal["auto"], Choice(("auto",), flags=True)] = "auto"
    """Whether to compute in bfloat16; ``auto``: where the device can. Example: ``bf16: auto``."""

    fp16: Annotated[bool, Flag()] = False
    """Whether to compute in float16 with loss scaling, for GPUs without bfloat16. Example: ``fp16: true``."""

    tf32: Annotated[bool | Literal["auto"], Choice(("auto",), flags=True)] = "auto"
    """Whether float32 matrix products may use TensorFloat-32; ``auto``: where the GPU can. Example: ``tf32: true``."""

    fp8: Annotated[bool, Flag(), Planned("use 'bf16: true'")] = False
    """Whether matrix products are computed in 8 bit floating point, on GPUs that can (H100 and newer).
    Example: ``fp8: true``."""

    load_in_8bit: Annotated[bool, Flag(), UNQUANTISED] = False
    """Whether the base model's weights are kept in 8 bit whole numbers (LLM.int8, Dettmers et al. 2022,
    https://arxiv.org/abs/2208.07339) under an adapter. Example: ``load_in_8bit: true``."""

    load_in_4bit: Annotated[bool, Flag(), UNQUANTISED] = False
    """Whether the base model's weights are kept in 4 bit under an adapter (QLoRA, Dettmers et al. 2023,
    https://arxiv.org/abs/2305.14314). Example: ``load_in_4bit: true``."""

    nf4_backend: Annotated[Nf4Backend, Choice(get_args(Nf4Backend)), UNQUANTISED] = "bitsandbytes"
    """Which package keeps weights in 4 bit: ``bitsandbytes`` or ``torchao``. Example: ``nf4_backend: torchao``."""

    bnb_config_kwargs: Annotated[dict[str, Any] | None, FreeMap(), UNQUANTISED] = None
    """Further arguments of Transformers' ``BitsAndBytesConfig``.
    Example: ``bnb_config_kwargs: {bnb_4bit_use_double_quant: true}``."""

    gptq: Annotated[bool, Flag(), UNQUANTISED] = False
    """Whether base_model is a checkpoint whose weights GPTQ quantised (Frantar et al. 2022,
    https://arxiv.org/abs/2210.17323); an adapter is trained on it. Example: ``gptq: true``."""

    model_quantization_config: Annotated[
        QuantizationConfig | None, Choice(get_args(QuantizationConfig)), UNQUANTISED
    ] = None
    """Transformers' class for how base_model's weights are quantised: ``Mxfp4Config`` (4 bit, as gpt-oss) or
    ``FineGrainedFP8Config`` (8 bit). Example: ``model_quantization_config: Mxfp4Config``."""

    model_quantization_config_kwargs: Annotated[dict[str, Any] | None, FreeMap(), UNQUANTISED] = None
    """Arguments of that class. Example: ``model_quantization_config_kwargs: {dequantize: true}``."""

    quantize_moe_experts: Annotated[bool, Flag(), UNQUANTISED] = False
    """Whether the experts of a mixture-of-experts model are quantised as they are loaded, besides the linear layers.
    Example: ``quantize_moe_experts: true``."""

    use_onebitllms: Annotated[bool, Flag(), UNQUANTISED] = False
    """Whether a model of 1.58 bit weights is trained by the package onebitllms (Ma et al. 2024,
    https://arxiv.org/abs/2402.17764). Example: ``use_onebitllms: true``."""

    qat: Annotated[dict[str, Any] | None, FreeMap(), NOT_AFTERWARDS] = None
    """Quantisation-aware training: weights are rounded in the forward pass as they will be later. A map of weight_dtype,
    activation_dtype, group_size, quantize_embedding and fake_quant_after_n_steps.
    Example: ``qat: {weight_dtype: int4, group_size: 32}``."""

    quantization: Annotated[dict[str, Any] | None, FreeMap(), NOT_AFTERWARDS] = None
    """How ``axolotl quantize`` rounds the tuned model: a map of weight_dtype, activation_dtype, group_size and
    quantize_embedding. Example: ``quantization: {weight_dtype: int8}``."""

    nvfp4_merge_aware: Annotated[bool, Flag(), UNQUANTISED] = False
    """Whether an adapter on weights in NVFP4 is trained as its merged weights will be rounded.
    Example: ``nvfp4_merge_aware: true``."""
