"""Base models whose weights are kept in few bits while an adapter trains beside them.

Either the config asks for it (``load_in_4bit``, ``load_in_8bit``: bitsandbytes rounds the weights as they are loaded), or the
checkpoint holds them so already (bitsandbytes or GPTQ), as the ``quantization_config`` in its ``config.json`` says.

Only linear layers are rounded. The output head, embeddings, norms, fused experts and whatever an adapter saves whole stay in
the compute format, as under LoRA on a whole base; PEFT's ``prepare_model_for_kbit_training`` would make all of them fp32,
which doubles what a large vocabulary takes and changes nothing that autocast does not already compute in fp32.

Papers: LLM.int8 (https://arxiv.org/abs/2208.07339), QLoRA (https://arxiv.org/abs/2305.14314), GPTQ
(https://arxiv.org/abs/2210.17323). Importing this module imports neither torch nor transformers.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from ft_core.errors import MissingExtra, ModelError
from ft_core.models.config_overrides import model_settings, overrides_of
from ft_core.models.gptq import compute_uncompiled, is_packed, kernel_settings, parameters_of, whole_weight
from ft_core.models.initial_adapter import takes_from_weights
from ft_core.models.outline import Outline, read_past
from ft_core.models.precision import Precision

if TYPE_CHECKING:
    from transformers import BitsAndBytesConfig, PreTrainedModel

    from ft_core.config import Config

# Bytes of a weight, its block's or row's scale included: nf4 and fp4 keep a scale for 64 weights, in fp32 or rounded again
# to 8 bit with one fp32 for 256 of those; GPTQ an fp16 scale and 4 bits of zero point for a group.
_SCALE_BYTES = 4 / 64
_NESTED_SCALE_BYTES = 1 / 64 + 4 / (64 * 256)
_GPTQ_SCALE_BYTES = 2.5

# State space layers hand their weights to kernels of their own, which know whole ones only.
_NEVER_ROUNDED = {"jamba": ("mamba",)}

_WHOLE = ("falcon",)
"""Families whose linear layers have a class of their own, which Transformers does not replace with one of few bits."""

_WITHOUT_GPTQ = ("falcon", "gpt2")
"""Those, and one whose `_init_weights` draws a weight that packed layers do not have (transformers 5.23)."""
_FORMATS = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}

_PACKAGES = {
    "bitsandbytes": (("bitsandbytes",), "pip install 'ft-jupyter[gpu]'"),
    "gptq": (("gptqmodel", "optimum"), "pip install 'ft-jupyter[gptq]'"),
}


@dataclass(frozen=True)
class Quantised:
    """How the linear layers of a base model are kept.

    Attributes
    ----------
    method
        Which package computes with them.
    kind
        ``nf4``, ``fp4``, ``int8`` or ``gptq``.
    bits
        Bits of a weight.
    stored
        Whether the checkpoint holds them so, and nothing is rounded as it is loaded.
    weight_bytes
        Bytes of a weight, its share of the scales included.
    """

    method: Literal["bitsandbytes", "gptq"]
    kind: str
    bits: int
    stored: bool
    weight_bytes: float

    @property
    def words(self) -> str:
        """What a plan says: ``nf4``, or ``4 bit (gptq)``."""
        return f"{self.bits} bit (gptq)" if self.kind == "gptq" else self.kind


def quantised_base(config: Config, model_config: Mapping[str, Any]) -> Quantised | None:
    """Return how the base model's linear layers are kept; None where they are whole.

    Parameters
    ----------
    config
        The run's config.
    model_config
        The model's ``config.json``; empty where it is not known yet.

    Raises
    ------
    ModelError
        The checkpoint and the config contradict each other, the checkpoint is quantised in a way that cannot be trained
        on, or there is no adapter to train.
    """
    stored: Any = model_config.get("quantization_config")
    asked = 8 if config.load_in_8bit else 4 if config.load_in_4bit else None
    if not stored:
        if config.gptq and model_config:
            raise ModelError(
                f"'gptq: true' says that GPTQ quantised '{config.base_model}', and its weights are whole.",
                "Remove 'gptq', or name a checkpoint that GPTQ quantised.",
            )
        if asked is None or config.gptq:
            return None
        if model_config.get("model_type") in _WHOLE:
            raise _left_whole(config, asked)
        return _bitsandbytes(_arguments(config, asked), stored=False)
    found = _of_checkpoint(config, cast("Mapping[str, Any]", stored))
    if found.method == "gptq" and model_config.get("model_type") in _WITHOUT_GPTQ:
        raise ModelError(
            f"Transformers does not load the layers of {model_config['model_type']} models that GPTQ quantised.",
            "Name the whole model in base_model.",
        )
    if not config.adapter:
        raise ModelError(
            f"The weights of '{config.base_model}' are kept in {found.bits} bit, and those cannot be trained themselves.",
            "Write 'adapter: lora', or name the whole model in base_model.",
        )
    if found.method == "gptq":
        _check_beside_gptq(config)
    if asked is not None and asked != found.bits:
        raise ModelError(
            f"The weights of '{config.base_model}' are kept in {found.bits} bit already, and 'load_in_{asked}bit' asks for {asked}.",
            f"Remove 'load_in_{asked}bit', or name the whole model in base_model.",
        )
    return found


def base_bytes(outline: Outline, quantised: Quantised, precision: Precision) -> int:
    """Return the bytes that the frozen base takes while it trains, with its largest layer whole while that is multiplied."""
    layers = [module.parameters for module in outline.linear_layers().values()]
    rest = outline.total - sum(layers)
    moment = max(layers, default=0) * precision.weight_bytes
    return round(sum(layers) * quantised.weight_bytes + rest * precision.weight_bytes + moment)


def require_packages(quantised: Quantised) -> None:
    """Raise a MissingExtra unless what computes with such weights is installed."""
    packages, fix = _PACKAGES[quantised.method]
    missing = next((package for package in packages if importlib.util.find_spec(package) is None), None)
    if missing is not None:
        what = f"A base model whose weights are kept in {quantised.words}"
        raise MissingExtra(f"{what} needs the package '{missing}', which is not installed.", fix)


def load_options(
    config: Config, model_config: Mapping[str, Any], quantised: Quantised | None, compute: str
) -> dict[str, Any]:
    """Return what ``from_pretrained`` needs besides, to load a quantised base.

    Parameters
    ----------
    config, model_config
        The run's config and the model's ``config.json``.
    quantised
        What `quantised_base` returned.
    compute
        Format that matrices are multiplied in.

    Raises
    ------
    MissingExtra
        A package that computes with such weights is not installed.
    """
    if quantised is None:
        return {}
    require_packages(quantised)
    # With every int8 layer of every step it says which format it computes in.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    if quantised.method == "gptq":
        return {"quantization_config": kernel_settings(quantised.bits)}
    if quantised.stored:
        return {}
    family = str(model_config.get("model_type", ""))
    never = _NEVER_ROUNDED.get(family, read_past(family))
    return {"quantization_config": _bits_and_bytes(config, quantised, compute, never)}


def check_rounded(model: PreTrainedModel, config: Config, quantised: Quantised | None) -> None:
    """Raise a ModelError where bitsandbytes was to round the layers of a model as it was loaded, and none is rounded."""
    if quantised is None or quantised.stored:
        return
    if not any(type(module).__name__ in ("Linear4bit", "Linear8bitLt") for module in model.modules()):
        raise _left_whole(config, quantised.bits)


def keep_differentiable(model: PreTrainedModel) -> None:
    """Keep bitsandbytes from repacking 4-bit weights when a processor with bf16 instructions evaluates.

    The kernel for the repacked weights has no gradient, and they stay repacked: every step after the first evaluation would
    train on gradients that end at the last layer (bitsandbytes 0.50, ``Linear4bit.forward``). Of GPTQ's layers nothing is
    compiled.
    """
    compute_uncompiled(model)
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            setattr(module, "support_avx512bf16_for_cpu", False)  # noqa: B010 - pyright takes it for a submodule


def count_parameters(model: Any, *, trainable: bool = False) -> int:
    """Return how many parameters a model has, weights in few bits (which are packed into larger numbers) one by one."""
    total = 0
    for weight in model.parameters():
        state = getattr(weight, "quant_state", None)
        if not trainable or weight.requires_grad:
            total += state.shape.numel() if state is not None else weight.numel()
    packed = [] if trainable else [module for module in model.modules() if is_packed(module)]
    return total + sum(parameters_of(module) for module in packed)


def dequantised_weight(module: Any) -> Any:
    """Return the whole weight, of shape ``(out, in)``, that a quantised linear layer computes with."""
    if is_packed(module):
        return whole_weight(module)
    from transformers.integrations.bitsandbytes import dequantize_bnb_weight

    return dequantize_bnb_weight(module.weight, getattr(module, "state", None))


def _left_whole(config: Config, bits: int) -> ModelError:
    lora = ", and write 'adapter: lora'" if config.adapter == "qlora" else ""
    return ModelError(
        f"'load_in_{bits}bit' cannot be used with this model: its linear layers are of a class that Transformers leaves whole.",
        f"Remove 'load_in_{bits}bit'{lora}.",
    )


def _arguments(config: Config, bits: int) -> dict[str, Any]:
    """Return bitsandbytes' settings: Axolotl's defaults, and what the config says over them."""
    given = config.bnb_config_kwargs or {}
    if bits == 8:
        return {"load_in_8bit": True, "llm_int8_threshold": 6.0, **given}
    return {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True, **given}


def _bitsandbytes(settings: Mapping[str, Any], *, stored: bool) -> Quantised:
    if settings.get("load_in_8bit"):
        return Quantised("bitsandbytes", "int8", 8, stored, 1.0)
    scales = _NESTED_SCALE_BYTES if settings.get("bnb_4bit_use_double_quant") else _SCALE_BYTES
    return Quantised("bitsandbytes", str(settings.get("bnb_4bit_quant_type", "fp4")), 4, stored, 0.5 + scales)


def _of_checkpoint(config: Config, stored: Mapping[str, Any]) -> Quantised:
    """Return how a quantised checkpoint keeps its weights."""
    method = str(stored.get("quant_method", ""))
    if method == "bitsandbytes" or (
        not method and (stored.get("load_in_4bit") or stored.get("load_in_8bit"))
    ):
        if config.gptq:
            raise ModelError(
                f"'gptq: true' says that GPTQ quantised '{config.base_model}', and bitsandbytes did.",
                "Remove 'gptq'.",
            )
        return _bitsandbytes(stored, stored=True)
    if method == "gptq":
        bits, group = int(stored.get("bits", 4)), int(stored.get("group_size", 128))
        scales = _GPTQ_SCALE_BYTES / group if group > 0 else 0
        return Quantised("gptq", "gptq", bits, True, bits / 8 + scales)
    raise ModelError(
        f"The weights of '{config.base_model}' are quantised by '{method}', which no adapter can be trained on here.",
        "Name the whole model in base_model; 'load_in_4bit: true' with 'adapter: qlora' quantises it as it is loaded.",
    )


def _check_beside_gptq(config: Config) -> None:
    """Raise a ModelError for what PEFT makes of whole weights, which it does not find beside GPTQ's."""
    for wanted, name, key in (
        (config.peft_use_dora, "DoRA", "peft_use_dora"),
        (takes_from_weights(config), "This start of the adapter", "peft_init_lora_weights"),
    ):
        if wanted:
            raise ModelError(
                f"{name} needs whole weights, and those of '{config.base_model}' are quantised by GPTQ.",
                f"Remove '{key}', or name the whole model in base_model.",
            )


def _bits_and_bytes(
    config: Config, quantised: Quantised, compute: str, never: tuple[str, ...]
) -> BitsAndBytesConfig:
    """Return Transformers' settings, with the modules that stay whole."""
    from transformers import BitsAndBytesConfig

    from ft_core.models.load import torch_dtype

    settings = _arguments(config, quantised.bits)
    asked = settings.pop("llm_int8_skip_modules", None) or ()
    for key in ("bnb_4bit_compute_dtype", "bnb_4bit_quant_storage"):
        if settings.get(key) in _FORMATS:
            settings[key] = torch_dtype(_FORMATS[settings[key]])
    if quantised.bits == 4:
        settings.setdefault("bnb_4bit_compute_dtype", torch_dtype(compute))
    if whole := (*asked, *(config.lora_modules_to_save or ()), *never):
        settings["llm_int8_skip_modules"] = _kept_whole(config, whole)
    return BitsAndBytesConfig(**settings)


def _kept_whole(config: Config, names: tuple[str, ...]) -> list[str]:
    """Return the modules that are not rounded: those that never are in this model, and those in or under one of `names`."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.quantizers.base import get_keys_to_not_convert

    options: dict[str, Any] = {"trust_remote_code": config.trust_remote_code}
    revision = config.revision_of_model or "main"
    model_config = model_settings(
        config.base_model, overrides_of(config), revision=revision, **options
    ) or AutoConfig.from_pretrained(config.base_model, revision=revision, **options)
    with torch.device("meta"):
        model: Any = AutoModelForCausalLM.from_config(model_config, **options)
    kept: list[str] = list(get_keys_to_not_convert(model))
    kept += [name for name, _ in model.named_modules() if _is_in(name, names)]
    return sorted(set(kept))


def _is_in(path: str, names: tuple[str, ...]) -> bool:
    """Say whether `path` is one of `names`, by whole dotted parts at its end, or lies in one."""
    return any(f".{name}." in f".{path}." for name in names)
