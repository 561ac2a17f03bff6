"""Keys of the adapter: which small set of weights is trained in place of the model's own."""

from __future__ import annotations

from typing import Annotated, Literal

from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import Choice, Flag, Number, TextList, Whole

AdapterKind = Literal["lora"]


class AdapterKeys(Topic):
    """LoRA (Hu et al. 2021, https://arxiv.org/abs/2106.09685) and its variants."""

    adapter: Annotated[AdapterKind | None, Choice(("lora",), ("qlora", "llama-adapter"))] = None
    """What is trained: ``lora`` (small matrices beside the model's linear layers), or empty: all weights."""

    lora_r: Annotated[int | None, Whole(minimum=1)] = None
    """Rank of the LoRA matrices. Default with ``adapter: lora``: 8."""

    lora_alpha: Annotated[int | None, Whole(minimum=1)] = None
    """Strength of the adapter: its output is scaled by lora_alpha / lora_r. Default with ``adapter: lora``: lora_r."""

    lora_dropout: Annotated[float, Number(minimum=0, below=1)] = 0.0
    """Share of the adapter's inputs that are dropped at random while training."""

    lora_target_modules: Annotated[
        tuple[str, ...] | Literal["all-linear"] | None, TextList(keyword="all-linear")
    ] = None
    """Names of the layers that get an adapter, such as ``[q_proj, v_proj]``, or ``all-linear``. Default with
    ``adapter: lora``: all-linear."""

    lora_target_linear: Annotated[bool, Flag()] = False
    """Whether every linear layer except the output head gets an adapter, besides those in lora_target_modules."""

    lora_modules_to_save: Annotated[tuple[str, ...] | None, TextList()] = None
    """Names of layers that are trained whole and saved with the adapter, such as ``[embed_tokens, lm_head]``."""

    peft_use_rslora: Annotated[bool, Flag()] = False
    """Whether the adapter is scaled by lora_alpha / sqrt(lora_r) (Kalajdzievski 2023, https://arxiv.org/abs/2312.03732)."""

    peft_use_dora: Annotated[bool, Flag()] = False
    """Whether direction and magnitude are trained apart (DoRA, Liu et al. 2024, https://arxiv.org/abs/2402.09353)."""
