"""Keys of the number formats that weights are kept in and training computes in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic_core import PydanticCustomError

from ft_core.config.problems import did_you_mean
from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import (
    Checked,
    Choice,
    Flag,
    FreeMap,
    Number,
    Planned,
    TextList,
    rejected,
)

Nf4Backend = Literal["bitsandbytes", "torchao"]
QuantizationConfig = Literal["Mxfp4Config", "FineGrainedFP8Config"]

UNQUANTISED = Planned(
    "remove it; 'load_in_4bit: true' with 'adapter: qlora' keeps the base model's weights in 4 bit"
)
NOT_AFTERWARDS = Planned("remove it, and quantise the tuned model when the run is done")


@dataclass(frozen=True)
class Off(Flag):
    """``false``, which some write down though it is the default."""

    def check(self, value: object) -> bool:
        """Return false."""
        if super().check(value):
            message = "must be false: the base model is frozen, and its weights stay where training computes"
            raise rejected(message, "remove it")
        return False


_FORMATS = Choice(("bfloat16", "float16", "float32"))
BITS_AND_BYTES: dict[str, Checked] = {
    "bnb_4bit_quant_type": Choice(("nf4", "fp4")),
    "bnb_4bit_use_double_quant": Flag(),
    "bnb_4bit_compute_dtype": _FORMATS,
    "bnb_4bit_quant_storage": Choice(("uint8", "bfloat16", "float16", "float32")),
    "llm_int8_threshold": Number(minimum=0),
    "llm_int8_skip_modules": TextList(),
    "llm_int8_has_fp16_weight": Off(),
    "llm_int8_enable_fp32_cpu_offload": Off(),
}
"""Arguments of ``BitsAndBytesConfig`` that mean something for training, and what each accepts."""


@dataclass(frozen=True)
class BitsAndBytesArguments(FreeMap):
    """A map of such arguments."""

    def check(self, value: object) -> dict[str, Any]:
        """Return the map, its values as they are kept."""
        checked: dict[str, Any] = {}
        for name, item in super().check(value).items():
            kind = BITS_AND_BYTES.get(name)
            if kind is None:
                message = f"has no argument '{name}' that training knows{did_you_mean(name, BITS_AND_BYTES)}"
                raise rejected(message, f"it takes {', '.join(BITS_AND_BYTES)}", name)
            try:
                checked[name] = kind.check(item)
            except PydanticCustomError as error:
                context = error.context or {}
                raise rejected(f"has '{name}', which {context['message']}", context["fix"], name) from error
        return checked

    @property
    def words(self) -> str:
        """What is accepted."""
        return f"a map of {', '.join(BITS_AND_BYTES)}"


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

    load_in_8bit: Annotated[bool, Flag()] = False
    """Whether the base model's weights are kept in 8 bit whole numbers (LLM.int8, Dettmers et al. 2022,
    https://arxiv.org/abs/2208.07339) under an adapter. Example: ``load_in_8bit: true``."""

    load_in_4bit: Annotated[bool, Flag()] = False
    """Whether the base model's weights are kept in 4 bit under an adapter (QLoRA, Dettmers et al. 2023,
    https://arxiv.org/abs/2305.14314). Example: ``load_in_4bit: true``."""

    nf4_backend: Annotated[Nf4Backend, Choice(get_args(Nf4Backend)), UNQUANTISED] = "bitsandbytes"
    """Which package keeps weights in 4 bit: ``bitsandbytes`` or ``torchao``. Example: ``nf4_backend: torchao``."""

    bnb_config_kwargs: Annotated[dict[str, Any] | None, BitsAndBytesArguments()] = None
    """Arguments of Transformers' ``BitsAndBytesConfig`` over the defaults, which are nf4 with its scales rounded too
    (``bnb_4bit_use_double_quant: true``) and, in 8 bit, ``llm_int8_threshold: 6.0``.
    Example: ``bnb_config_kwargs: {bnb_4bit_use_double_quant: false}``."""

    gptq: Annotated[bool, Flag()] = False
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
