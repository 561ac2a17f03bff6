"""Keys that say which model is tuned and how it is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from ft_core.config.parameter_patterns import why_unreadable
from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import (
    Choice,
    Either,
    Flag,
    FreeMap,
    PathText,
    Planned,
    Text,
    TextList,
    Whole,
    rejected,
)


@dataclass(frozen=True)
class ParameterPatterns(TextList):
    """Names of weights as regular expressions, with slices."""

    def check(self, value: object) -> tuple[str, ...] | str:
        """Return the patterns."""
        patterns = super().check(value)
        for index, pattern in enumerate(patterns):
            if wrong := why_unreadable(pattern):
                raise rejected(f"cannot be read: {wrong}", "write a name such as lm_head.weight", index)
        return patterns


IMAGES = Planned("remove it: only text is trained on")
PLACEMENT = Planned("remove it: the whole model is on each device")


class ModelKeys(Topic):
    """The model that is tuned."""

    base_model: Annotated[str, PathText()]
    """The model to tune: a folder with a Transformers checkpoint, or a name on the Hugging Face hub.
    Example: ``base_model: HuggingFaceTB/SmolLM2-135M-Instruct``."""

    revision_of_model: Annotated[str | None, Text()] = None
    """Branch, tag or commit of the model on the hub; also written ``model_revision``. Default: the newest.
    Example: ``revision_of_model: main``."""

    model_type: Annotated[str, Text()] = "AutoModelForCausalLM"
    """The model's class. The class that the checkpoint names is used whatever stands here: a ``...ForCausalLM`` name is
    accepted for the sake of existing configs. Example: ``model_type: AutoModelForCausalLM``."""

    trust_remote_code: Annotated[bool, Flag()] = False
    """Whether Python code that comes with the model, tokenizer or dataset may run on this machine.
    Example: ``trust_remote_code: true``."""

    base_model_config: Annotated[
        str | None, PathText(), Planned("remove it: config.json is read from base_model")
    ] = None
    """Folder or hub name that the model's config.json is read from. Default: base_model.
    Example: ``base_model_config: org/other-model``."""

    overrides_of_model_config: Annotated[dict[str, Any] | None, FreeMap()] = None
    """Entries of the model's config.json and the values they get in place of those in the file, maps entry by
    entry; also written ``model_config``. A longer context by scaled rotary positions is set here.
    Example: ``overrides_of_model_config: {rope_scaling: {rope_type: linear, factor: 2.0}}``."""

    overrides_of_model_kwargs: Annotated[dict[str, Any] | None, FreeMap()] = None
    """Further arguments of Transformers' ``from_pretrained`` for the model: entries of its config.json, as above, or how its
    files are read; also written ``model_kwargs``. Example: ``overrides_of_model_kwargs: {attention_dropout: 0.1}``."""

    num_labels: Annotated[
        int | None, Whole(minimum=1), Planned("remove it: only language models are trained")
    ] = None
    """Outputs of the head of a model that classifies; a reward model has one. Example: ``num_labels: 1``."""

    processor_type: Annotated[str | None, Text(), IMAGES] = None
    """Class of the processor that turns images or sound into inputs of a multimodal model.
    Example: ``processor_type: AutoProcessor``."""

    processor_kwargs: Annotated[dict[str, Any] | None, FreeMap(), IMAGES] = None
    """Further arguments of the processor. Example: ``processor_kwargs: {max_pixels: 1003520}``."""

    freeze_mm_modules: Annotated[bool, Flag(), IMAGES] = False
    """Whether the parts of a multimodal model that see or hear keep their weights, and only its language model is
    trained. Example: ``freeze_mm_modules: true``."""

    unfrozen_parameters: Annotated[
        tuple[str, ...] | None,
        ParameterPatterns(),
    ] = None
    """Regular expressions: only the weights whose names begin with one are trained, all others stay as they are. A dot
    stands for itself but in ``.*`` and ``.+``. A slice at the end, as in ``lm_head.weight$[:32000]``, takes only these
    rows, which are not decayed.
    Example: ``unfrozen_parameters: [lm_head.weight, 'model.layers.(30|31).']``."""

    reinit_weights: Annotated[bool, Flag()] = False
    """Whether training starts from new random weights of base_model's shape, of which config.json and the
    tokenizer are enough. Example: ``reinit_weights: true``."""

    resize_token_embeddings_to_32x: Annotated[bool, Flag()] = False
    """Whether the embeddings are padded to a multiple of 32 rows, which is faster on some GPUs. They never shrink.
    Example: ``resize_token_embeddings_to_32x: true``."""

    mean_resizing_embeddings: Annotated[bool, Flag()] = True
    """Whether embeddings of new tokens begin around the mean of the others, and not around 0.
    Example: ``mean_resizing_embeddings: false``."""

    device_map: Annotated[str | dict[str, Any] | None, Either((Text(), FreeMap())), PLACEMENT] = None
    """Which device holds which part of the model: ``auto``, or a map from module to device. Default: all of it on the
    device of its rank. Example: ``device_map: auto``."""

    max_memory: Annotated[dict[str, Any] | None, FreeMap(), PLACEMENT] = None
    """For ``device_map: auto``: how much memory of each device may be used.
    Example: ``max_memory: {cpu: 64GiB}``."""

    gpu_memory_limit: Annotated[
        int | str | None, Either((Whole(minimum=1), Text("a text such as 20GiB")))
    ] = None
    """How much memory of each GPU a merge may take, in GiB or as a text with its unit. Adapters are merged in the
    processor's memory alone, so every limit is kept. Example: ``gpu_memory_limit: 20GiB``."""

    low_cpu_mem_usage: Annotated[
        bool, Flag(), Planned("remove it: Transformers always loads the weights so")
    ] = False
    """Whether the model is made empty and filled from its files, so that no second copy of the weights is in memory while
    it loads. Example: ``low_cpu_mem_usage: true``."""

    experimental_skip_move_to_device: Annotated[bool, Flag(), PLACEMENT] = True
    """Whether a model that is to be sharded stays where it was loaded until it is sharded, in place of moving to the GPU
    whole. Example: ``experimental_skip_move_to_device: false``."""

    use_kernels: Annotated[bool, Flag(), Planned("remove it: results are the same; only speed differs")] = (
        False
    )
    """Whether Transformers replaces layers by faster kernels from the Hugging Face hub.
    Example: ``use_kernels: true``."""

    experts_implementation: Annotated[
        str | None,
        Choice(("eager", "batched_mm", "grouped_mm", "deepgemm", "sonicmoe", "scattermoe")),
        Planned("remove it: Transformers picks one for the model"),
    ] = None
    """How the experts of a mixture-of-experts model are computed: ``eager`` (one after the other), ``batched_mm``,
    ``grouped_mm``, or a kernel (``deepgemm``, ``sonicmoe``, ``scattermoe``).
    Example: ``experts_implementation: grouped_mm``."""

    llama4_linearized_experts: Annotated[bool, Flag(), Planned()] = False
    """Whether base_model is a Llama 4 checkpoint whose experts were made into linear layers, which can be quantised and
    take adapters. Example: ``llama4_linearized_experts: true``."""

    ple_cpu_offload: Annotated[bool, Flag(), PLACEMENT] = False
    """Whether the per-layer embeddings of Gemma 3n and Gemma 4 stay in the processor's memory.
    Example: ``ple_cpu_offload: true``."""
