"""Keys of the adapter: which small set of weights is trained in place of the model's own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from ft_core.config.problems import shown
from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import (
    Choice,
    Either,
    Flag,
    FreeMap,
    Number,
    PathText,
    Planned,
    TextList,
    Whole,
    WholeList,
    WholeMap,
    rejected,
)

AdapterKind = Literal["lora", "qlora"]
PruneMethod = Literal["magnitude", "random", "reset"]

INITS = ("gaussian", "orthogonal")
"""Ways of PEFT to begin the LoRA matrices that leave the model's own weights as they are."""

PARTS_OF_WEIGHTS = ("pissa", "olora")
"""Ways that take the first matrices off the model's own weights."""

PLANNED_INITS = ("loftq", "eva", "corda")

SAME_RESULT = Planned("remove it: results are the same; only speed differs")


@dataclass(frozen=True)
class TargetModules(TextList):
    """Names of layers, or a regular expression of their whole names, which PEFT reads."""

    def check(self, value: object) -> tuple[str, ...] | str:
        """Return the names, the keyword or the expression."""
        if isinstance(value, str) and re.search(r"[\\()\[\]|*+?^$]", value):
            _require_expression(value, value)
            return value
        return super().check(value)

    @property
    def words(self) -> str:
        """What is accepted."""
        return f"'{self.keyword}', a list of texts or a regular expression"


@dataclass(frozen=True)
class PatternMap(WholeMap):
    """Whole numbers of at least 1 by a regular expression of the names that they are for."""

    def check(self, value: object) -> dict[str, Any]:
        """Return the map."""
        checked = super().check(value)
        for pattern in checked:
            _require_expression(pattern, pattern, pattern)
        return checked


def _require_expression(text: str, value: object, item: str | None = None) -> None:
    try:
        re.compile(text)
    except re.error as error:
        message = f"must hold regular expressions, and {shown(value)} is none: {error}"
        raise rejected(message, "write a name such as q_proj", item) from None


@dataclass(frozen=True)
class RowsOfModules(FreeMap):
    """A map from the name of a module to ids of tokens."""

    def check(self, value: object) -> dict[str, Any]:
        """Return the map."""
        return {name: WholeList(minimum=0).check(ids) for name, ids in super().check(value).items()}

    @property
    def words(self) -> str:
        """What is accepted."""
        return "a map from modules to such lists"


class AdapterKeys(Topic):
    """LoRA (Hu et al. 2021, https://arxiv.org/abs/2106.09685) and its variants."""

    adapter: Annotated[
        AdapterKind | None, Choice(("lora", "qlora"), ("llama-adapter", "mixlora", "mora"))
    ] = None
    """What is trained: ``lora`` (small matrices beside the model's linear layers), ``qlora`` (the same, beside layers that
    ``load_in_4bit`` keeps in 4 bit), or empty: all weights.
    Example: ``adapter: lora``."""

    lora_model_dir: Annotated[str | None, PathText()] = None
    """An adapter that training goes on from, or that is merged: its folder, a checkpoint, a run's directory, or a hub name.
    Its rank, strength and layers are its own. Default: a new one.
    Example: ``lora_model_dir: runs/run-1/final``."""

    lora_r: Annotated[int | None, Whole(minimum=1)] = None
    """Rank of the LoRA matrices. Default with an adapter: 8. Example: ``lora_r: 16``."""

    lora_alpha: Annotated[int | None, Whole(minimum=1)] = None
    """Strength of the adapter: its output is scaled by lora_alpha / lora_r. Default with an adapter: lora_r.
    Example: ``lora_alpha: 32``."""

    lora_dropout: Annotated[float, Number(minimum=0, below=1)] = 0.0
    """Share of the adapter's inputs that are dropped at random while training. Example: ``lora_dropout: 0.05``."""

    lora_target_modules: Annotated[tuple[str, ...] | str | None, TargetModules(keyword="all-linear")] = None
    """Names of the layers that get an adapter, such as ``[q_proj, v_proj]``, ``all-linear``, or a regular expression of
    their whole names, such as ``.*layers.[0-3].*_proj``. Default with an adapter: all-linear.
    Example: ``lora_target_modules: [q_proj, v_proj]``."""

    lora_target_linear: Annotated[bool, Flag()] = False
    """Whether every linear layer except the output head gets an adapter, besides those in lora_target_modules.
    Example: ``lora_target_linear: true``."""

    lora_target_parameters: Annotated[
        tuple[str, ...] | None,
        TextList(single=True),
    ] = None
    """Names of parameters that get an adapter though they are no layers, such as the experts of a mixture-of-experts
    model; needs ``lora_dropout: 0``. Example: ``lora_target_parameters: [mlp.experts.gate_up_proj]``."""

    lora_modules_to_save: Annotated[tuple[str, ...] | None, TextList()] = None
    """Names of layers that are trained whole and saved with the adapter, such as ``[embed_tokens, lm_head]``.
    Example: ``lora_modules_to_save: [embed_tokens, lm_head]``."""

    lora_rank_pattern: Annotated[dict[str, int] | None, PatternMap()] = None
    """The rank of some layers, where it is not lora_r, by a regular expression that their names end in. Their strength
    stays lora_alpha, or that of lora_alpha_pattern.
    Example: ``lora_rank_pattern: {down_proj: 32}``."""

    lora_alpha_pattern: Annotated[dict[str, int] | None, PatternMap()] = None
    """The strength of some layers' adapters, where it is not lora_alpha, by a regular expression that their names end in.
    Example: ``lora_alpha_pattern: {down_proj: 64}``."""

    lora_fan_in_fan_out: Annotated[bool | None, Flag()] = None
    """Accepted without effect: whether layers keep their weights as (inputs, outputs), as GPT-2's do, is found out by
    their class.
    Example: ``lora_fan_in_fan_out: true``."""

    lora_on_cpu: Annotated[bool, Flag()] = False
    """Whether the adapter is merged in the processor's memory, for a model that fills the GPU's: so it always is.
    Example: ``lora_on_cpu: true``."""

    lora_mlp_kernel: Annotated[bool | None, Flag()] = None
    """Whether a feed-forward block and its adapters are computed as one fused step, which gives the same results faster and
    in less memory. Default: on an NVIDIA GPU, where ``lora_dropout`` is 0. Example: ``lora_mlp_kernel: true``."""

    lora_qkv_kernel: Annotated[bool | None, Flag()] = None
    """Whether the layers that make queries, keys and values are each computed together with their adapters.
    Default: as for lora_mlp_kernel. Example: ``lora_qkv_kernel: true``."""

    lora_o_kernel: Annotated[bool | None, Flag()] = None
    """Whether attention's output layer is computed together with its adapter. Default: as for lora_mlp_kernel.
    Example: ``lora_o_kernel: true``."""

    lora_embedding_kernel: Annotated[bool, Flag(), SAME_RESULT] = False
    """Whether the adapter of the embeddings is computed by a fused kernel. Example: ``lora_embedding_kernel: true``."""

    loraplus_lr_ratio: Annotated[float | None, Number(above=0)] = None
    """How many times faster the second LoRA matrix (B) learns than the first (LoRA+, Hayou et al. 2024,
    https://arxiv.org/abs/2402.12354, which recommends 16). Default: equally fast. Example: ``loraplus_lr_ratio: 16``."""

    loraplus_lr_embedding: Annotated[float, Number(above=0)] = 1e-6
    """For LoRA+: the learning rate of adapters of embeddings. Example: ``loraplus_lr_embedding: 0.000001``."""

    peft_use_rslora: Annotated[bool, Flag()] = False
    """Whether the adapter is scaled by lora_alpha / sqrt(lora_r) (Kalajdzievski 2023, https://arxiv.org/abs/2312.03732).
    Example: ``peft_use_rslora: true``."""

    peft_use_dora: Annotated[bool, Flag()] = False
    """Whether direction and magnitude are trained apart (DoRA, Liu et al. 2024, https://arxiv.org/abs/2402.09353).
    Example: ``peft_use_dora: true``."""

    peft_init_lora_weights: Annotated[
        bool | str | None,
        Choice(
            (*INITS, *PARTS_OF_WEIGHTS), PLANNED_INITS, "use true", flags=True, pattern=r"pissa_niter_\d+"
        ),
    ] = None
    """How an adapter begins: ``true`` or ``gaussian`` (two ways that change nothing), ``orthogonal`` (nothing either, by
    matrices whose directions cancel each other), ``pissa`` or ``olora`` (the largest part of each layer's own weights, or a
    first part of them, which then trains; ``pissa_niter_4`` is about the same, found faster) or ``false`` (both matrices at
    random, which changes the model). Default: true. Example: ``peft_init_lora_weights: pissa``."""

    peft_layers_to_transform: Annotated[tuple[int, ...] | None, WholeList(minimum=0)] = None
    """Numbers of the model's layers that get an adapter, counted from 0. Default: all.
    Example: ``peft_layers_to_transform: [0, 1, 2, 3]``."""

    peft_layers_pattern: Annotated[tuple[str, ...] | None, TextList()] = None
    """For peft_layers_to_transform: the name of the model's list of layers, where PEFT does not know it.
    Example: ``peft_layers_pattern: [layers]``."""

    peft_trainable_token_indices: Annotated[
        tuple[int, ...] | dict[str, tuple[int, ...]] | None,
        Either((WholeList(minimum=0), RowsOfModules())),
    ] = None
    """Ids of tokens whose embeddings are trained beside the adapter, or such a list for each embedding layer. New tokens
    are among them without being named.
    Example: ``peft_trainable_token_indices: [128256, 128257]``."""

    peft: Annotated[dict[str, Any] | None, FreeMap(), Planned()] = None
    """Settings of the adapter's beginning and base: loftq_config (with loftq_bits), backend, weight_dtype, group_size.
    Example: ``peft: {loftq_config: {loftq_bits: 4}}``."""

    merge_lora: Annotated[bool, Flag()] = False
    """Whether the adapter is added into the model's weights when training is done, as ``ft merge-lora`` does it: the whole
    model is then in the run's folder ``merged``, and in ``merged`` in output_dir. Example: ``merge_lora: true``."""

    relora: Annotated[bool, Flag()] = False
    """Whether the adapter is added into the model's weights every jagged_restart_steps and a new one begun (ReLoRA, Lialin
    et al. 2023, https://arxiv.org/abs/2307.05695): in sum a change of higher rank. The tuned model is a whole one.
    Example: ``relora: true``."""

    jagged_restart_steps: Annotated[int | None, Whole(minimum=1)] = None
    """Steps from one restart to the next; the learning rate falls and rises again at each, with relora or without.
    Example: ``jagged_restart_steps: 200``."""

    jagged_restart_warmup_steps: Annotated[int, Whole(minimum=0)] = 10
    """Steps over which the learning rate rises again after a restart. Example: ``jagged_restart_warmup_steps: 10``."""

    jagged_restart_anneal_steps: Annotated[int, Whole(minimum=0)] = 1
    """Steps over which the learning rate falls before a restart; 1: it does not.
    Example: ``jagged_restart_anneal_steps: 10``."""

    relora_prune_method: Annotated[PruneMethod, Choice(get_args(PruneMethod))] = "magnitude"
    """Which values of the optimizer's state are set to 0 at a restart: the smallest (``magnitude``), some at ``random``, or
    nearly all of them (``reset``). Example: ``relora_prune_method: reset``."""

    relora_prune_ratio: Annotated[float | None, Number(minimum=0, maximum=1)] = None
    """Share of the optimizer's state that is set to 0 at a restart. Default: 0.9, and 0.999 for ``reset``.
    Example: ``relora_prune_ratio: 0.9``."""

    relora_cpu_offload: Annotated[bool, Flag()] = False
    """Whether the adapter is merged on the processor at a restart, which takes less of the GPU's memory.
    Example: ``relora_cpu_offload: true``."""
