"""Keys of how samples become the rows of a batch, and how attention runs over them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import Choice, Flag, FreeMap, Planned, Whole

ExcessLength = Literal["drop", "truncate", "raise"]
Attention = Literal[
    "auto",
    "sdpa",
    "eager",
    "varlen",
    "flash_attention_2",
    "flash_attention_3",
    "flash_attention_4",
    "flex_attention",
    "xformers",
]

ONE_LONG_ROW = ("varlen", "flash_attention_2", "flash_attention_3", "flash_attention_4", "xformers")
"""Attention that costs no more on one long packed row than on many short ones."""

PLANNED_ATTENTION = ("sage", "fp8")

ATTENTION_ALIASES = (
    ("flash", "flash_attention_2"),
    ("flash_attention", "flash_attention_2"),
    ("flash_attn", "flash_attention_2"),
    ("flash_attn_2", "flash_attention_2"),
    ("flash2", "flash_attention_2"),
    ("flash3", "flash_attention_3"),
    ("fa3", "flash_attention_3"),
    ("flash4", "flash_attention_4"),
    ("fa4", "flash_attention_4"),
    ("flex", "flex_attention"),
    ("fa", "flash_attention_2"),
    ("fa2", "flash_attention_2"),
    ("sdp", "sdpa"),
    ("sdp_attention", "sdpa"),
    ("eager_attention", "eager"),
)

ATTENTION_CHOICE = Choice(
    get_args(Attention),
    PLANNED_ATTENTION,
    aliases=ATTENTION_ALIASES,
    # A kernel of the Hugging Face hub.
    planned_pattern=r"[\w.-]+/[\w.@:-]+",
)

SAME_RESULT = Planned("remove it: results are the same; only speed differs")


class SequenceKeys(Topic):
    """Length, padding, packing and attention."""

    sequence_len: Annotated[int, Whole(minimum=2)] = 512
    """The longest sample that is trained on, in tokens. Example: ``sequence_len: 2048``."""

    eval_sequence_len: Annotated[
        int | None, Whole(minimum=2), Planned("remove it: sequence_len is the limit in evaluation too")
    ] = None
    """The longest sample that is evaluated on, in tokens. Default: sequence_len. Example: ``eval_sequence_len: 4096``."""

    min_sample_len: Annotated[int | None, Whole(minimum=1)] = None
    """The shortest sample that is trained on, in tokens; shorter ones are dropped. Default: 2.
    Example: ``min_sample_len: 16``."""

    excess_length_strategy: Annotated[ExcessLength, Choice(get_args(ExcessLength))] = "drop"
    """What becomes of a sample longer than sequence_len: ``drop`` it, ``truncate`` it, or ``raise`` an error.
    Example: ``excess_length_strategy: truncate``."""

    pad_to_sequence_len: Annotated[bool | None, Flag()] = None
    """Whether every row is padded to its full length, in place of the longest of its batch. Default: where samples are
    packed. Example: ``pad_to_sequence_len: true``."""

    pad_to_multiple_of: Annotated[
        int | None, Whole(minimum=1), Planned("use pad_to_sequence_len, or remove it")
    ] = None
    """Every batch is padded to a multiple of this many tokens. Example: ``pad_to_multiple_of: 64``."""

    sample_packing: Annotated[bool, Flag()] = False
    """Whether short samples are laid end to end in one row, so that little of a batch is padding. Each is computed as if
    it were alone; a model in which that cannot be is refused. Example: ``sample_packing: true``."""

    eval_sample_packing: Annotated[bool | None, Flag()] = None
    """Whether evaluation samples are packed as well. Default: as sample_packing. Example: ``eval_sample_packing: false``."""

    sample_packing_group_size: Annotated[int, Whole(minimum=1)] = 100_000
    """Accepted, without effect: the samples of the whole set are packed together.
    Example: ``sample_packing_group_size: 200000``."""

    sample_packing_bin_size: Annotated[int, Whole(minimum=1)] = 200
    """How many samples a packed row holds at most. Example: ``sample_packing_bin_size: 100``."""

    sample_packing_sequentially: Annotated[bool, Flag()] = False
    """Whether only neighbouring samples are packed together, which leaves more padding.
    Example: ``sample_packing_sequentially: true``."""

    multipack_real_batches: Annotated[bool | None, Flag()] = None
    """Whether a packed batch has micro_batch_size rows of sequence_len, in place of one row as long as all of them.
    Default: with any attention but flash_attention_2, _3 and _4, varlen and xformers, which take one long row.
    Example: ``multipack_real_batches: true``."""

    batch_flattening: Annotated[bool | Literal["auto"], Choice(("auto",), flags=True)] = False
    """Whether the samples of a batch are laid end to end in one row, without choosing which fit together; ``auto``: with
    attention that takes one long row (see multipack_real_batches), where sample_packing is off.
    Example: ``batch_flattening: true``."""

    attn_implementation: Annotated[Attention, ATTENTION_CHOICE] = "auto"
    """How attention is computed: ``sdpa`` (PyTorch's own kernels), ``eager`` (plain matrix products, slow),
    ``varlen`` (PyTorch's own kernel for packed rows, on a GPU), ``flash_attention_2``, ``_3``, ``_4`` and ``xformers`` (of the
    packages flash-attn, flash-attn-3, flash-attn-4 and xformers), ``flex_attention`` (PyTorch's compiled one, on a GPU), or
    ``auto``: for packed rows the fastest that is installed and that model and GPU can run, mostly ``sdpa`` else.
    Example: ``attn_implementation: sdpa``."""

    flex_attn_compile_kwargs: Annotated[dict[str, Any] | None, FreeMap()] = None
    """For ``attn_implementation: flex_attention``: further arguments of ``torch.compile`` for its kernel.
    Example: ``flex_attn_compile_kwargs: {dynamic: false}``."""

    gemma4_hybrid_attn_impl: Annotated[bool, Flag(), SAME_RESULT] = False
    """Whether the layers of Gemma 4 that see the whole row use ``sdpa`` and the others flash attention, whose kernels take
    no heads as large as theirs. Example: ``gemma4_hybrid_attn_impl: true``."""

    fused_attn_kernel: Annotated[bool, Flag(), SAME_RESULT] = False
    """Whether norms and rotary positions of queries and keys are computed in one kernel, for models that have both.
    Example: ``fused_attn_kernel: true``."""

    flash_attn_cross_entropy: Annotated[bool, Flag(), SAME_RESULT] = False
    """Whether the loss of a Llama model is computed by a kernel of the package flash-attn.
    Example: ``flash_attn_cross_entropy: true``."""

    flash_attn_fuse_mlp: Annotated[bool, Flag(), SAME_RESULT] = False
    """Whether the feed-forward layers of a Llama model are computed by a fused kernel; not together with an adapter.
    Example: ``flash_attn_fuse_mlp: true``."""

    flash_optimum: Annotated[bool, Flag(), SAME_RESULT] = False
    """Whether attention runs by BetterTransformer of the package Optimum, which ``attn_implementation: sdpa`` came after.
    Example: ``flash_optimum: true``."""
