"""Keys of how a model and its batches are spread over several devices."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import Choice, Either, Flag, FreeMap, PathText, Planned, Text, Whole

StateDictType = Literal["FULL_STATE_DICT", "LOCAL_STATE_DICT", "SHARDED_STATE_DICT"]
WrapPolicy = Literal["TRANSFORMER_BASED_WRAP", "SIZE_BASED_WRAP"]
RingAttention = Literal["varlen_llama3", "batch_ring"]
ExpertBackend = Literal["auto", "deep_ep", "torch"]

WHOLE_MODEL = Planned("remove it: every GPU holds the whole model")
WHOLE_ROWS = Planned("remove it: every GPU computes whole rows")
BY_LAUNCHER = Planned("remove it: the launcher sets it for each process")


class FsdpConfig(Topic):
    """FSDP: weights, gradients and optimizer in pieces over the GPUs (https://arxiv.org/abs/2304.11277)."""

    fsdp_version: Annotated[int | None, Whole(minimum=1, maximum=2), WHOLE_MODEL] = None
    """As fsdp_version at the top level. Example: ``fsdp_version: 2``."""

    auto_wrap_policy: Annotated[WrapPolicy | None, Choice(get_args(WrapPolicy)), WHOLE_MODEL] = None
    """What is gathered at a time: each layer of the class transformer_layer_cls_to_wrap (``TRANSFORMER_BASED_WRAP``), or
    each module of min_num_params weights (``SIZE_BASED_WRAP``). Example: ``auto_wrap_policy: TRANSFORMER_BASED_WRAP``."""

    transformer_layer_cls_to_wrap: Annotated[str | None, Text(), WHOLE_MODEL] = None
    """Class of the model's layers. Default: what the model itself names.
    Example: ``transformer_layer_cls_to_wrap: LlamaDecoderLayer``."""

    min_num_params: Annotated[int | None, Whole(minimum=1), WHOLE_MODEL] = None
    """Weights from which a module is gathered on its own under ``SIZE_BASED_WRAP``. Example: ``min_num_params: 100000000``."""

    reshard_after_forward: Annotated[bool | None, Flag(), WHOLE_MODEL] = None
    """Whether gathered weights are given up after the forward pass and gathered again for the backward pass: less memory,
    more traffic. Example: ``reshard_after_forward: true``."""

    offload_params: Annotated[bool | None, Flag(), WHOLE_MODEL] = None
    """Whether weights, gradients and optimizer lie in the computer's memory while a GPU does not need them: much less GPU
    memory, slow. Example: ``offload_params: false``."""

    cpu_offload_pin_memory: Annotated[bool | None, Flag(), WHOLE_MODEL] = None
    """Whether offload_params uses pinned memory, which is faster and cannot be swapped out. Default: true.
    Example: ``cpu_offload_pin_memory: false``."""

    cpu_ram_efficient_loading: Annotated[bool | None, Flag(), WHOLE_MODEL] = None
    """Whether only the first process reads the weights and sends each other its piece, so that the computer's memory holds
    them once. Example: ``cpu_ram_efficient_loading: true``."""

    activation_checkpointing: Annotated[bool | None, Flag(), WHOLE_MODEL] = None
    """Gradient checkpointing by FSDP itself, in place of gradient_checkpointing.
    Example: ``activation_checkpointing: true``."""

    mixed_precision_policy: Annotated[str | None, Text(), WHOLE_MODEL] = None
    """Type that gathered weights are computed in, such as bf16. Example: ``mixed_precision_policy: bf16``."""

    state_dict_type: Annotated[StateDictType | None, Choice(get_args(StateDictType)), WHOLE_MODEL] = None
    """How checkpoints are written: whole by the first process (``FULL_STATE_DICT``), or each process its piece.
    Example: ``state_dict_type: FULL_STATE_DICT``."""

    final_state_dict_type: Annotated[StateDictType | None, Choice(get_args(StateDictType)), WHOLE_MODEL] = (
        None
    )
    """The same for the tuned model at the end. Default: as state_dict_type.
    Example: ``final_state_dict_type: FULL_STATE_DICT``."""


class DistributedKeys(Topic):
    """Several devices."""

    fsdp_config: Annotated[FsdpConfig | None, WHOLE_MODEL] = None
    """Cuts the model into pieces over the GPUs by PyTorch's FSDP, for models that one GPU cannot hold; a map of the keys
    below. Not together with deepspeed.
    Example: ``fsdp_config: {transformer_layer_cls_to_wrap: LlamaDecoderLayer, reshard_after_forward: true}``."""

    fsdp_version: Annotated[int, Whole(minimum=1, maximum=2), WHOLE_MODEL] = 2
    """Which of PyTorch's two implementations of FSDP runs; 1 is no longer kept up. Example: ``fsdp_version: 2``."""

    deepspeed: Annotated[
        str | dict[str, Any] | None, Either((PathText("a path"), FreeMap())), WHOLE_MODEL
    ] = None
    """Cuts the model into pieces over the GPUs by DeepSpeed (ZeRO, https://arxiv.org/abs/1910.02054): the path of its JSON
    file, or its contents as a map. Not together with fsdp_config. Example: ``deepspeed: deepspeed_configs/zero2.json``."""

    deepcompile: Annotated[bool, Flag(), WHOLE_MODEL] = False
    """Whether DeepSpeed compiles the model along with its traffic. Example: ``deepcompile: true``."""

    dp_shard_size: Annotated[int | None, Whole(minimum=1), WHOLE_MODEL] = None
    """GPUs over which one copy of the model is cut up. Default: all. Example: ``dp_shard_size: 4``."""

    dp_replicate_size: Annotated[int | None, Whole(minimum=1), WHOLE_MODEL] = None
    """Copies of the model, each over dp_shard_size GPUs. Default: 1. Example: ``dp_replicate_size: 2``."""

    tensor_parallel_size: Annotated[int | None, Whole(minimum=1), WHOLE_MODEL] = None
    """GPUs over which each single weight matrix is cut up. Default: 1. Example: ``tensor_parallel_size: 2``."""

    context_parallel_size: Annotated[int | None, Whole(minimum=1), WHOLE_ROWS] = None
    """GPUs over which each row is cut up, for very long rows; a divisor of their number. Default: 1.
    Example: ``context_parallel_size: 2``."""

    heads_k_stride: Annotated[int | None, Whole(minimum=1), WHOLE_ROWS] = None
    """Key heads that context_parallel_size exchanges at a time; a divisor of the model's key heads. The more, the faster,
    and the more memory. Default: 1. Example: ``heads_k_stride: 2``."""

    ring_attn_func: Annotated[RingAttention | None, Choice(get_args(RingAttention)), WHOLE_ROWS] = None
    """How context_parallel_size passes keys and values round. Default: ``varlen_llama3`` with packing, else
    ``batch_ring``. Example: ``ring_attn_func: varlen_llama3``."""

    expert_parallel_size: Annotated[int, Whole(minimum=1), WHOLE_MODEL] = 1
    """GPUs over which the experts of a mixture model are spread (needs a plugin in Axolotl).
    Example: ``expert_parallel_size: 8``."""

    expert_parallel_backend: Annotated[ExpertBackend, Choice(get_args(ExpertBackend)), WHOLE_MODEL] = "auto"
    """How expert_parallel_size sends tokens to their experts: by DeepEP's kernels (``deep_ep``), by PyTorch (``torch``), or
    ``auto``: DeepEP where it is installed. Example: ``expert_parallel_backend: torch``."""

    ddp: Annotated[bool, Flag(), BY_LAUNCHER] = False
    """Whether each GPU trains a whole copy of the model on its share of the data; with several GPUs it is so anyway.
    Example: ``ddp: true``."""

    ddp_timeout: Annotated[int | None, Whole(minimum=1)] = None
    """Seconds that processes wait for each other before the run counts as hung. Default: 1800.
    Example: ``ddp_timeout: 7200``."""

    ddp_bucket_cap_mb: Annotated[int | None, Whole(minimum=1)] = None
    """Megabytes of gradients that the GPUs exchange at a time. Default: 25. Example: ``ddp_bucket_cap_mb: 100``."""

    ddp_broadcast_buffers: Annotated[bool | None, Flag()] = None
    """Whether the first GPU's buffers (not weights, such as running means) are sent to the others at each step. Default:
    false with gradient_checkpointing, else true. Example: ``ddp_broadcast_buffers: false``."""

    ddp_find_unused_parameters: Annotated[bool | None, Flag()] = None
    """Whether each step looks for trained weights that had no part in the loss; needed where a model has such, slower
    otherwise. Default: false. Example: ``ddp_find_unused_parameters: true``."""

    accelerator_config: Annotated[
        dict[str, Any] | None,
        FreeMap(),
        Planned("remove it: batches are split over the GPUs without it"),
    ] = None
    """Further settings of the package Accelerate, by the names of its ``AcceleratorConfig``.
    Example: ``accelerator_config: {split_batches: false}``."""

    world_size: Annotated[int | None, Whole(minimum=1), BY_LAUNCHER] = None
    """Number of training processes. Example: ``world_size: 2``."""

    local_rank: Annotated[int | None, Whole(minimum=-1), BY_LAUNCHER] = None
    """Number of a training process on its machine. Example: ``local_rank: 0``."""
