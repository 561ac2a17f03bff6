"""Keys of how long and in what portions training goes, and of the learning rate's course."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import Choice, Flag, FreeMap, Number, Planned, Text, Whole, names

ActivationOffloading = Literal["legacy", "disk", "hidden_states"]
CompileMode = Literal["default", "reduce-overhead", "max-autotune"]

# transformers.SchedulerType of 5.23, and two of ft_core.train.schedules.
SCHEDULERS = names(
    "cosine linear cosine_with_restarts polynomial constant constant_with_warmup inverse_sqrt "
    "reduce_lr_on_plateau cosine_with_min_lr cosine_warmup_with_min_lr warmup_stable_decay greedy "
    "one_cycle rex"
)

PLANNED_SCHEDULERS = ("log_sweep",)

GRADIENT_CHECKPOINTING = Choice(("auto", "offload"), ("offload_disk",), "use 'offload'", flags=True)

LESS_MEMORY = Planned("remove it: 'gradient_checkpointing: true' or a smaller micro_batch_size saves memory")
COMPILE = Choice((), ("auto",), "use true or false", flags=True)
NO_MLP_TILES = Planned("remove it: 'gradient_checkpointing: true' or a shorter sequence_len saves memory")
NO_CHUNKS = Planned("remove it: the loss is the same; a smaller micro_batch_size saves memory")


class ScheduleKeys(Topic):
    """Length, batches, the learning rate's course, memory and chance."""

    num_epochs: Annotated[float, Number(above=0)] = 1.0
    """How often the data is gone through; may be a fraction. Example: ``num_epochs: 3``."""

    max_steps: Annotated[int | None, Whole(minimum=1)] = None
    """Optimizer steps after which training ends, whatever num_epochs says. Default: no limit.
    Example: ``max_steps: 500``."""

    micro_batch_size: Annotated[int, Whole(minimum=1)] = 1
    """Samples that one device computes at a time: the larger, the faster, and the more memory it takes.
    Example: ``micro_batch_size: 2``."""

    gradient_accumulation_steps: Annotated[int, Whole(minimum=1)] = 1
    """Micro batches whose gradients are summed into one optimizer step: a larger batch without more memory. Default with
    batch_size: batch_size / micro_batch_size. Example: ``gradient_accumulation_steps: 8``."""

    batch_size: Annotated[int | None, Whole(minimum=1)] = None
    """Samples of one optimizer step on one device; several devices multiply it. Stands beside micro_batch_size, of which it
    is a multiple, in place of gradient_accumulation_steps. Default: micro_batch_size times gradient_accumulation_steps.
    Example: ``batch_size: 16``."""

    auto_find_batch_size: Annotated[
        bool, Flag(), Planned("remove it: the plan estimates the memory, and an error says what to lower")
    ] = False
    """Whether micro_batch_size is lowered and training begun anew when memory runs out.
    Example: ``auto_find_batch_size: true``."""

    gradient_checkpointing: Annotated[bool | Literal["auto", "offload"], GRADIENT_CHECKPOINTING] = "auto"
    """Whether activations are computed again in the backward pass in place of being kept: less memory, about a third
    more time, the same results. ``auto``: in as many layers as the estimate of memory calls for, mostly none. ``offload``:
    in all layers, and what they start from waits in the computer's memory. Example: ``gradient_checkpointing: true``."""

    gradient_checkpointing_kwargs: Annotated[dict[str, Any], FreeMap()] = Field(default_factory=dict)
    """Further arguments of gradient checkpointing, by the names of ``torch.utils.checkpoint``.
    Example: ``gradient_checkpointing_kwargs: {use_reentrant: false}``."""

    activation_offloading: Annotated[
        bool | ActivationOffloading, Choice(get_args(ActivationOffloading), flags=True), LESS_MEMORY
    ] = False
    """Whether activations wait for the backward pass in the computer's memory in place of the GPU's: less GPU memory, more
    time. ``hidden_states`` moves only what each layer takes in and computes the rest again, ``disk`` writes to disk,
    ``legacy`` is an older way of moving. Example: ``activation_offloading: true``."""

    tiled_mlp: Annotated[bool, Flag(), NO_MLP_TILES] = False
    """Whether the feed-forward layers work on a long sequence piece by piece: less memory (ALST, Bekman et al. 2025,
    https://arxiv.org/abs/2506.13996). Example: ``tiled_mlp: true``."""

    tiled_mlp_num_shards: Annotated[int | None, Whole(minimum=1), NO_MLP_TILES] = None
    """Pieces into which tiled_mlp cuts. Default: sequence length / hidden size of the model, rounded up.
    Example: ``tiled_mlp_num_shards: 4``."""

    tiled_mlp_use_original_mlp: Annotated[bool, Flag(), NO_MLP_TILES] = True
    """Whether tiled_mlp keeps the model's own feed-forward layer, in place of one like Llama's.
    Example: ``tiled_mlp_use_original_mlp: true``."""

    chunked_cross_entropy: Annotated[bool, Flag(), NO_CHUNKS] = False
    """Whether the loss is computed over a part of the tokens at a time: less memory where the vocabulary is large.
    Example: ``chunked_cross_entropy: true``."""

    chunked_cross_entropy_num_chunks: Annotated[int | None, Whole(minimum=1), NO_CHUNKS] = None
    """Parts in which chunked_cross_entropy works. Default: 8. Example: ``chunked_cross_entropy_num_chunks: 16``."""

    torch_compile: Annotated[bool, COMPILE] = False
    """Whether PyTorch compiles the model, layer by layer (``torch.compile``): a slow first step, then faster ones. It needs a C
    compiler, and takes the place of ``lora_mlp_kernel`` and its kin. Example: ``torch_compile: true``."""

    torch_compile_backend: Annotated[str | None, Text()] = None
    """Compiler that torch_compile uses. Default: PyTorch's own, ``inductor``.
    Example: ``torch_compile_backend: inductor``."""

    torch_compile_mode: Annotated[CompileMode | None, Choice(get_args(CompileMode))] = None
    """What torch_compile optimizes for: ``default``, ``reduce-overhead`` (small batches, takes more memory) or
    ``max-autotune`` (the fastest kernels, long to compile). Example: ``torch_compile_mode: reduce-overhead``."""

    torch_empty_cache_steps: Annotated[int | None, Whole(minimum=1)] = None
    """Steps from one emptying of PyTorch's store of free GPU memory to the next: a lower peak, about 10 % more time.
    Default: never. Example: ``torch_empty_cache_steps: 10``."""

    gc_collect_steps: Annotated[int | None, Whole(minimum=-1)] = None
    """Steps from one run of Python's garbage collector to the next; -1: before evaluations and at the end of epochs alone,
    0: as if not given. Default: when Python finds it due.
    Example: ``gc_collect_steps: 10``."""

    seed: Annotated[int, Whole(minimum=0, maximum=2**32 - 1)] = 42
    """What every random choice derives from: the order of the data, new weights, dropout. Example: ``seed: 7``."""

    full_determinism: Annotated[bool, Flag()] = False
    """Whether only computations are used that give the same result to the last bit each time: slower, for finding faults.
    Example: ``full_determinism: true``."""

    lr_scheduler: Annotated[str, Choice(SCHEDULERS, PLANNED_SCHEDULERS, "use 'cosine' or 'linear'")] = (
        "cosine"
    )
    """How the learning rate falls after its warmup: a name of Transformers' ``SchedulerType``, ``one_cycle`` (PyTorch's
    ``OneCycleLR``) or ``rex`` (slowly at first, fast at the end: Chen et al. 2021, https://arxiv.org/abs/2107.04197).
    Example: ``lr_scheduler: linear``."""

    lr_scheduler_kwargs: Annotated[dict[str, Any], FreeMap()] = Field(default_factory=dict)
    """Further arguments of the scheduler, such as min_lr_rate (lowest learning rate as a share of the largest) of
    ``cosine_with_min_lr``. Example: ``lr_scheduler_kwargs: {min_lr_rate: 0.1}``."""

    lr_quadratic_warmup: Annotated[bool, Flag()] = False
    """Whether the learning rate of ``lr_scheduler: cosine`` rises in the warmup with the square of the step, gently at first.
    Example: ``lr_quadratic_warmup: true``."""

    cosine_min_lr_ratio: Annotated[float | None, Number(minimum=0, maximum=1)] = None
    """Where ``lr_scheduler: cosine`` or ``rex`` ends, as a share of learning_rate. Default: 0. Example: ``cosine_min_lr_ratio: 0.1``."""

    cosine_constant_lr_ratio: Annotated[float | None, Number(minimum=0, maximum=1)] = None
    """Share of the steps after which the learning rate of ``lr_scheduler: cosine`` stays at
    cosine_min_lr_ratio (Gupta et al. 2023, https://arxiv.org/abs/2308.04014).
    Example: ``cosine_constant_lr_ratio: 0.8``."""

    warmup_steps: Annotated[int | None, Whole(minimum=0)] = None
    """Steps over which the learning rate rises from 0. Default: 3 % of the steps, at most 100.
    Example: ``warmup_steps: 10``."""

    warmup_ratio: Annotated[float | None, Number(minimum=0, maximum=1)] = None
    """The same as a share of all steps, in place of warmup_steps. Example: ``warmup_ratio: 0.1``."""

    loss_watchdog_threshold: Annotated[float | None, Number(above=0)] = None
    """Loss above which training counts as broken, and no checkpoint is saved; about twice the loss at the start fits.
    Example: ``loss_watchdog_threshold: 5.0``."""

    loss_watchdog_patience: Annotated[int | None, Whole(minimum=1)] = None
    """Steps in a row above loss_watchdog_threshold after which training ends. Default: 3.
    Example: ``loss_watchdog_patience: 3``."""
