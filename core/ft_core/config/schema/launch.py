"""Keys of how a run is started, and with what besides the engine."""

from __future__ import annotations

from typing import Annotated, Any

from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import Flag, MapList, PathText, Planned, Text, TextList, Whole

SAME_RESULT = Planned("remove it: no plugin is loaded; the results differ only in speed and memory")


class LaunchKeys(Topic):
    """How a run is started, and with what besides the engine."""

    strict: Annotated[bool, Flag()] = False
    """Accepted, without effect: an unknown key is always an error. Example: ``strict: true``."""

    plugins: Annotated[tuple[str, ...] | None, TextList()] = None
    """Classes that extend Axolotl, by their import paths. Those of Liger and of cut_cross_entropy are accepted, without effect:
    their keys work without them. Others are refused.
    Example: ``plugins: [axolotl.integrations.liger.LigerPlugin]``."""

    liger_rope: Annotated[bool | None, Flag()] = None
    """Whether rotary positions are computed by Liger's kernel (https://arxiv.org/abs/2410.10989), with the same results.
    Default: on an NVIDIA GPU, where liger-kernel is installed and knows the family. Example: ``liger_rope: true``."""

    liger_rms_norm: Annotated[bool | None, Flag()] = None
    """Whether RMS norms are computed by Liger's kernel, which needs a GPU and the package liger-kernel.
    Default: as for liger_rope. Example: ``liger_rms_norm: true``."""

    liger_rms_norm_gated: Annotated[
        bool, Flag(), Planned("remove it: Liger has no such kernel, and the results are the same")
    ] = False
    """Whether gated RMS norms, as in models with linear attention, are computed by Liger's kernel.
    Example: ``liger_rms_norm_gated: true``."""

    liger_layer_norm: Annotated[bool, Flag()] = False
    """Whether layer norms are computed by Liger's kernel. No effect: none of the families that it is used with has any.
    Example: ``liger_layer_norm: true``."""

    liger_glu_activation: Annotated[bool | None, Flag()] = None
    """Whether the gated activation of feed-forward layers (SwiGLU, GeGLU) is computed by Liger's kernel.
    Default: as for liger_rope, where lora_mlp_kernel does not compute it. Example: ``liger_glu_activation: true``."""

    liger_cross_entropy: Annotated[bool, Flag()] = False
    """Accepted: the loss takes less memory than by Liger's kernel anyway, because only logits of trained tokens are made.
    Example: ``liger_cross_entropy: true``."""

    liger_fused_linear_cross_entropy: Annotated[bool, Flag()] = False
    """Accepted: output head and loss are computed together anyway, by a loss of our own that has the logits of some trained
    tokens at a time; not together with liger_cross_entropy. Example: ``liger_fused_linear_cross_entropy: true``."""

    cut_cross_entropy: Annotated[bool, Flag()] = False
    """Accepted: as by the kernel of this name (https://arxiv.org/abs/2411.09009), the logits of all tokens are never in memory,
    by a loss of our own that has those of some trained tokens at a time. Example: ``cut_cross_entropy: true``."""

    use_scattermoe: Annotated[bool, Flag(), SAME_RESULT] = False
    """Whether the experts of a mixture model are computed by ScatterMoE's kernels (https://arxiv.org/abs/2403.08245).
    Example: ``use_scattermoe: true``."""

    use_sonicmoe: Annotated[bool, Flag(), SAME_RESULT] = False
    """Whether the experts of a mixture model are computed by SonicMoE's kernels, on Hopper GPUs and newer.
    Example: ``use_sonicmoe: true``."""

    autotune_cache_path: Annotated[str | None, PathText(), SAME_RESULT] = None
    """File that keeps the fastest settings that kernels of use_scattermoe found, for the next run.
    Example: ``autotune_cache_path: ./autotune.json``."""

    autotune_profiles: Annotated[tuple[dict[str, Any], ...] | None, MapList(), SAME_RESULT] = None
    """Settings that kernels of use_scattermoe take without looking for the fastest: a list of maps with ``kernel``,
    ``configs`` and, to say where they hold, ``gpu`` and ``match``.
    Example: ``autotune_profiles: [{kernel: _scatter2scatter_lora, configs: [{BLOCK_M: 128, num_warps: 4}]}]``."""

    autotune_neighborhood: Annotated[int | None, Whole(minimum=1), SAME_RESULT] = None
    """In how many settings at most a kernel of use_scattermoe may differ from the fastest one found for another number of
    rows: a shorter search. Default: any. Example: ``autotune_neighborhood: 1``."""

    dsv4_fp4_grouped_mode: Annotated[
        str | None, Text(), Planned("remove it: weights are computed in 16 or 32 bit")
    ] = None
    """Whether the experts of a model with 4-bit weights are computed together in 4 bit: ``nvfp4``.
    Example: ``dsv4_fp4_grouped_mode: nvfp4``."""
