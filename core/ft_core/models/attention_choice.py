"""Which attention a run uses, and why. Torch-free, so that a plan can say it at once.

Of packed rows, ``auto`` takes the fastest kernel that is installed and that fits model, GPU and number format; the order is
that of docs/explanation/packing.md, measured on an H100. Rows with one sample each go through ``sdpa``, which needs no
package beyond torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ft_core.errors import MissingExtra
from ft_core.models.attention_paths import (
    EAGER,
    FLASH_2,
    FLASH_3,
    FLASH_4,
    FLEX,
    KERNELS,
    NO_SDPA,
    SDPA,
    TELLS_BOUNDS,
    VARLEN,
    XFORMERS,
    device_obstacle,
    is_installed,
    model_obstacle,
)
from ft_core.models.hardware import Hardware
from ft_core.models.parameters import model_folder, text_config
from ft_core.models.precision import choose_precision

if TYPE_CHECKING:
    from ft_core.config import Config

FASTEST = (FLASH_4, FLASH_3, VARLEN, FLASH_2, XFORMERS)
"""Kernels for documents, in the order in which ``auto`` tries them."""

_ASKED = "'attn_implementation' in the config"
_ALONE = "which computes each document alone"
# What a class of models says of itself, for Transformers to let it through.
_MARKS = {
    SDPA: "_supports_sdpa",
    FLEX: "_supports_flex_attn",
    **dict.fromkeys((FLASH_2, FLASH_3, FLASH_4), "_supports_flash_attn"),
}
_PRAISE = {
    VARLEN: f"torch's own kernel for packed rows, {_ALONE}",
    XFORMERS: f"of the package xformers, {_ALONE} on GPUs too that others do not run on",
    FLASH_2: f"of the package flash-attn, {_ALONE}",
    FLASH_3: f"of the package flash-attn-3 for Hopper GPUs, {_ALONE}",
    FLASH_4: f"of the package flash-attn-4, the fastest that {_ALONE.removeprefix('which ')}",
}


def choose_attention(config: Config, model_config: Mapping[str, Any], hardware: Hardware) -> tuple[str, str]:
    """Return the attention implementation by its Transformers name, and why.

    Parameters
    ----------
    config
        The run's config.
    model_config
        The model's ``config.json``, or an empty mapping where it is not known yet.
    hardware
        What this machine has.

    Raises
    ------
    ConfigError
        The config asks for an attention that the model or this machine cannot do.
    MissingExtra
        The package of the one that it asks for is not installed.
    """
    asked = config.attn_implementation
    if asked == "auto":
        return _fastest(config, model_config, hardware)
    compute = choose_precision(config, hardware).compute

    def obstacle(attention: str) -> str:
        return (
            device_obstacle(attention, hardware)
            or code_obstacle(attention, config, model_config)
            or model_obstacle(attention, model_config, hardware, compute)
        )

    if found := obstacle(asked):
        message = f"'attn_implementation: {asked}' cannot be used here: {found}"
        fix = "write 'attn_implementation: auto', which picks what this model and this device can do"
        raise config.refused([config.problem("attn_implementation", message, fix)])
    if is_installed(asked):
        return asked, _ASKED
    package = KERNELS[asked].distribution
    if asked == FLASH_2 and not obstacle(VARLEN):
        reason = f"'{asked}' in the config: the package {package} is not here, and torch has its kernel"
        return VARLEN, reason
    raise MissingExtra(
        f"'attn_implementation: {asked}' needs the package {package}, which is not installed.",
        KERNELS[asked].install,
    )


def code_obstacle(attention: str, config: Config, model_config: Mapping[str, Any]) -> str:
    """Return why the Python code that lies beside a model cannot run with an attention; nothing for Transformers' own models."""
    if not (config.trust_remote_code and "AutoModelForCausalLM" in model_config.get("auto_map", {})):
        return ""
    folder = model_folder(config.base_model, config.revision_of_model)
    code = "".join(file.read_text(encoding="utf-8") for file in folder.glob("*.py")) if folder else ""
    mark = _MARKS.get(attention, "_supports_attention_backend")
    return (
        ""
        if attention == EAGER or f"{mark} = True" in code
        else f"the model's own code has no path through {attention}"
    )


def _fastest(config: Config, model_config: Mapping[str, Any], hardware: Hardware) -> tuple[str, str]:
    """Return the fastest attention that is here and right for the run, and why it is that one."""
    family = str(text_config(model_config).get("model_type", ""))
    if obstacle := code_obstacle(SDPA, config, model_config):
        return EAGER, obstacle
    packed = bool(config.sample_packing or config.eval_sample_packing or config.batch_flattening)
    if not packed and family not in NO_SDPA:
        return SDPA, "torch's own fused attention, and no package beyond torch"
    compute = choose_precision(config, hardware).compute
    unknown = "" if family in TELLS_BOUNDS else f"{family or 'unknown'} models are not known to work with it"
    against: dict[str, str] = {}
    for attention in FASTEST:
        found = device_obstacle(attention, hardware)
        if not found:
            found = model_obstacle(attention, model_config, hardware, compute) or unknown
            if not found and is_installed(attention):
                return attention, _PRAISE[attention] + _faster(against)
            against[attention] = found
    if family in NO_SDPA:
        reason = f"{family} models have no path through sdpa"
        flex = device_obstacle(FLEX, hardware) or model_obstacle(FLEX, model_config, hardware, compute)
        # Named and not taken: it compiles for a while, which a short run may not win back.
        return EAGER, reason + (_faster(against) if flex else f"; {FLEX} would take less memory on long rows")
    reason = device_obstacle(VARLEN, hardware) or against[VARLEN]
    return SDPA, f"torch's own fused attention, over a mask of documents: {reason}" + _faster(against)


def _faster(against: Mapping[str, str]) -> str:
    """Return which kernel would be faster if its package were here: the first that has no other obstacle."""
    for attention, obstacle in against.items():
        if not obstacle:
            return f"; {attention} would be faster: {KERNELS[attention].install}"
    return ""
