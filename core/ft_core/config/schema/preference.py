"""Keys of methods besides supervised fine-tuning: from preferences, from rewards, and by diffusion."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import Choice, Flag, FreeMap, Number, NumberList, Planned, TextList, names

RlMethod = Literal["dpo", "ipo", "kto", "orpo", "simpo"]

REWARDED = names("grpo gdpo ebft")
"""Methods that let the model write answers while it trains."""

NOT_YET = Planned(
    "remove it: supervised fine-tuning, 'rl: dpo', 'ipo', 'kto', 'orpo', 'simpo' and 'reward_model: true' work"
)

DPO_LOSSES = names(
    "sigmoid hinge ipo exo_pair nca_pair robust bco_pair sppo_hard aot aot_unpaired apo_zero apo_down discopop sft "
    "sigmoid_norm"
)
"""Losses of dpo, by TRL's names."""


class PreferenceKeys(Topic):
    """Learning from preferences and rewards, and by diffusion."""

    rl: Annotated[RlMethod | None, Choice(get_args(RlMethod), REWARDED)] = None
    """Method in place of supervised fine-tuning. From pairs of a better and a worse answer: ``dpo``
    (https://arxiv.org/abs/2305.18290), ``ipo`` (https://arxiv.org/abs/2310.12036), ``orpo``
    (https://arxiv.org/abs/2403.07691) or ``simpo`` (https://arxiv.org/abs/2405.14734). From answers marked good or bad:
    ``kto`` (https://arxiv.org/abs/2402.01306). Needs TRL: ``pip install 'ft-jupyter[rl]'``. Example: ``rl: dpo``."""

    rl_beta: Annotated[float | None, Number(minimum=0)] = None
    """How strongly the model is held near the one that it started from: the beta of dpo, ipo, kto and simpo. Default: 0.1.
    Example: ``rl_beta: 0.1``."""

    dpo_loss_type: Annotated[tuple[str, ...] | None, TextList()] = None
    """Losses of dpo, by TRL's names; several are added up. Default: sigmoid. Example: ``dpo_loss_type: [sigmoid]``."""

    dpo_loss_weights: Annotated[tuple[float, ...] | None, NumberList()] = None
    """What each loss of dpo_loss_type counts. Default: 1 each. Example: ``dpo_loss_weights: [1.0]``."""

    dpo_ld_alpha: Annotated[float | None, Number(minimum=0, maximum=1)] = None
    """What the tokens of an answer count for dpo beyond the length of the shorter one of its pair (LD-DPO,
    https://arxiv.org/abs/2409.06411). Default: as much as the others. Example: ``dpo_ld_alpha: 0.5``."""

    dpo_label_smoothing: Annotated[float | None, Number(minimum=0, maximum=0.5)] = None
    """Share of pairs that dpo takes for wrongly ordered (https://ericmitchell.ai/cdpo.pdf). Default: 0.
    Example: ``dpo_label_smoothing: 0.1``."""

    dpo_use_weighting: Annotated[bool, Flag()] = False
    """Whether dpo counts each pair by how likely the model finds it (WPO, https://arxiv.org/abs/2406.11827).
    Example: ``dpo_use_weighting: true``."""

    dpo_padding_free: Annotated[bool, Flag(), NOT_YET] = False
    """Whether dpo lays the answers of a batch end to end, in place of padding them. Example: ``dpo_padding_free: true``."""

    precompute_ref_log_probs: Annotated[bool, Flag()] = False
    """Whether the starting model's part of the loss is computed once before training, so that the model need not stay in
    memory. Example: ``precompute_ref_log_probs: true``."""

    orpo_alpha: Annotated[float | None, Number(minimum=0)] = None
    """Weight of orpo's term of preference beside the loss of the better answer; lambda in the paper. Default: 0.1.
    Example: ``orpo_alpha: 0.1``."""

    simpo_gamma: Annotated[float | None, Number(minimum=0)] = None
    """Margin that simpo asks between better and worse answer. Default: 0.5. Example: ``simpo_gamma: 0.5``."""

    cpo_alpha: Annotated[float | None, Number(minimum=0)] = None
    """Weight of the loss of the better answer that simpo adds (CPO, https://arxiv.org/abs/2401.08417). Default: 1.
    Example: ``cpo_alpha: 1.0``."""

    kto_desirable_weight: Annotated[float | None, Number(minimum=0)] = None
    """Weight of kto's good answers; to be chosen so that good and bad ones weigh about the same. Default: 1.
    Example: ``kto_desirable_weight: 0.5``."""

    kto_undesirable_weight: Annotated[float | None, Number(minimum=0)] = None
    """Weight of kto's bad answers. Default: 1. Example: ``kto_undesirable_weight: 1.0``."""

    trl: Annotated[dict[str, Any] | None, FreeMap(), NOT_YET] = None
    """Settings of grpo, by TRL's names: reward_funcs, num_generations, max_completion_length, use_vllm and others.
    Example: ``trl: {num_generations: 8, reward_funcs: [rewards.length]}``."""

    vllm: Annotated[dict[str, Any] | None, FreeMap(), NOT_YET] = None
    """Settings of the vLLM server that writes answers for grpo. Example: ``vllm: {gpu_memory_utilization: 0.85}``."""

    ebft: Annotated[dict[str, Any] | None, FreeMap(), NOT_YET] = None
    """Settings of ``rl: ebft``, which rewards answers whose hidden states resemble those of the true ones.
    Example: ``ebft: {n_samples_per_prompt: 4}``."""

    reward_model: Annotated[bool, Flag()] = False
    """Whether a model is trained that scores an answer by one number, from pairs of a better and a worse answer.
    Example: ``reward_model: true``."""

    process_reward_model: Annotated[bool, Flag(), NOT_YET] = False
    """Whether a model is trained that scores each step of an answer (https://arxiv.org/abs/2305.20050).
    Example: ``process_reward_model: true``."""

    center_rewards_coefficient: Annotated[float | None, Number(minimum=0)] = None
    """How strongly the scores of reward_model are held around zero (https://arxiv.org/abs/2312.09244). Default: not.
    Example: ``center_rewards_coefficient: 0.01``."""

    diffusion_lm: Annotated[dict[str, Any] | None, FreeMap(), NOT_YET] = None
    """Settings of training a model that fills in masked tokens in any order, in place of the next token.
    Example: ``diffusion_lm: {from_causal_lm: true}``."""

    diffusion: Annotated[dict[str, Any] | None, FreeMap(), NOT_YET] = None
    """The same by Axolotl's older plugin (https://arxiv.org/abs/2502.09992). Example: ``diffusion: {noise_schedule: linear}``."""

    diffusion_decision: Annotated[dict[str, Any] | None, FreeMap(), NOT_YET] = None
    """Settings of an Axolotl plugin that trains such a model to answer with one of given decisions.
    Example: ``diffusion_decision: {answer_format: lines}``."""
