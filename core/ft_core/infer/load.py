"""The models of a chat in memory: the tuned one, its base, and their tokenizer."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from ft_core.config import Config, load_config
from ft_core.data import render_prompt
from ft_core.data.template import render, resolve_template
from ft_core.errors import ModelError
from ft_core.infer.source import Source, Which
from ft_core.models.config_overrides import model_settings, overrides_of
from ft_core.models.hardware import Hardware, detect_hardware
from ft_core.models.load import keep_scale
from ft_core.models.parameters import read_header
from ft_core.models.quantise import load_options, quantised_base
from ft_core.models.source import explain_load_error
from ft_core.models.tokenizer import load_tokenizer


class Models:
    """What a source names, loaded when it is first needed.

    An adapter and its base are one model, with the adapter switched off for the base. After a full fine-tune they are
    two, and the base is loaded when it is first asked.

    Parameters
    ----------
    source
        What to load.
    device
        Where; None for the GPU with the most free memory, else the CPU.

    Raises
    ------
    FtError
        A model or tokenizer is missing or cannot be loaded.
    """

    def __init__(self, source: Source, device: str | None) -> None:
        self._source = source
        self._hardware = detect_hardware()
        self._device = device or best_device(self._hardware)
        self._config: Config | None = (
            load_config(Path(source.config), check_paths=False) if source.config else None
        )
        self.tokenizer = source_tokenizer(source, self._config)
        self._loaded: dict[Which, PreTrainedModel] = {}
        first = source.choices[0]
        self._loaded[first] = self._load(first)

    def prompt(self, messages: Sequence[dict[str, Any]]) -> list[int]:
        """Return the ids that ask for the next message, by the template that training used."""
        return render_prompt(self._config, messages, self.tokenizer)

    def stop_ids(self, model: PreTrainedModel) -> frozenset[int]:
        """Return every id that ends a turn: the tokenizer's, the model's, the config's and the template's."""
        stops: list[Any] = [self.tokenizer.eos_token_id, *self._turn_ends()]
        for settings in (model.generation_config, model.config):
            named: Any = getattr(settings, "eos_token_id", None)
            stops += cast("list[Any]", named) if isinstance(named, list) else [named]
        return frozenset(int(token) for token in stops if token is not None)

    @contextmanager
    def using(self, which: Which) -> Generator[PreTrainedModel]:
        """Give the model that is asked, loading it if need be."""
        if which == "base" and self._source.adapter and self._source.changed_base is None:
            model = cast("Any", self._loaded["tuned"])
            with model.disable_adapter():
                yield model
            return
        if which not in self._loaded:
            self._loaded[which] = self._load(which)
        yield self._loaded[which]

    def _load(self, which: Which) -> PreTrainedModel:
        source = self._source
        whole = source.base
        if which == "tuned":
            whole = (source.changed_base or source.base) if source.adapter else source.tuned
        model = self._from_pretrained(str(whole), source.revision if whole == source.base else None)
        if which == "tuned" and source.adapter:
            model = put_adapter_on(model, self.tokenizer, str(source.tuned))
        else:
            grow_embeddings(model, max(self.tokenizer.get_vocab().values()) + 1)
        model.eval()
        # Packed weights are where they were loaded, and cannot be moved.
        return model if getattr(model, "is_quantized", False) else cast("Any", model).to(self._device)

    def _from_pretrained(self, name: str, revision: str | None) -> PreTrainedModel:
        options: dict[str, Any] = {
            "revision": revision or "main",
            "trust_remote_code": self._source.trust_remote_code,
        }
        try:
            settings = self._overridden(name) or AutoConfig.from_pretrained(name, **options)
            stored: Any = settings.get_text_config().dtype
            dtype = fitting_dtype(stored or torch.float32, self._device, self._hardware)
            options |= self._few_bits(settings.to_dict(), dtype)
            model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
                name, dtype=dtype, config=settings, **options
            )
            keep_scale(model)
        except Exception as error:
            if explained := explain_load_error(error, name, "model"):
                raise explained from error
            raise
        # Of its own habits the model keeps what ends a turn. The rest (a repetition penalty, a top_k) would be merged
        # into what the chat asks for, and the same settings would mean another thing for each model.
        habits = model.generation_config
        model.generation_config = GenerationConfig(eos_token_id=habits.eos_token_id if habits else None)
        return model

    def _overridden(self, name: str) -> PreTrainedConfig | None:
        """Return the settings that the base of an adapter was trained with, where they are not its own."""
        source, config = self._source, self._config
        if config is None or not source.adapter or name != source.base:
            return None
        return model_settings(
            name,
            overrides_of(config),
            revision=source.revision,
            trust_remote_code=source.trust_remote_code,
        )

    def _few_bits(self, settings: dict[str, Any], dtype: torch.dtype) -> dict[str, Any]:
        """Return what loads the base of an adapter in as few bits as it was trained on."""
        config = self._config if self._source.adapter else None
        quantised = quantised_base(config, settings) if config else None
        if config is None or quantised is None:
            return {"device_map": {"": self._device}} if settings.get("quantization_config") else {}
        compute = {torch.bfloat16: "bf16", torch.float16: "fp16"}.get(dtype, "fp32")
        return {
            "device_map": {"": self._device},
            **load_options(config, settings, quantised, compute),
        }

    def _turn_ends(self) -> set[int]:
        """Return the config's ``eot_tokens``, and the special token that the template puts behind an answer."""
        tokenizer = self.tokenizer
        named = self._config.eot_tokens or () if self._config else ()
        ends = {int(cast("int", tokenizer.convert_tokens_to_ids(token))) for token in named}
        dialogue = [{"role": "user", "content": "QUESTION"}, {"role": "assistant", "content": "ANSWER"}]
        text = render(tokenizer, resolve_template(self._config, tokenizer), dialogue)
        _, answer, behind = text.rpartition("ANSWER")
        first = tokenizer(behind, add_special_tokens=False)["input_ids"][:1] if answer else []
        return ends | (set(first) & set(tokenizer.added_tokens_decoder))


def source_tokenizer(source: Source, config: Config | None) -> PreTrainedTokenizerBase:
    """Return the tokenizer saved with the tuned weights, else the config's, else the base's.

    Raises
    ------
    FtError
        It is missing or cannot be loaded.
    """
    saved = source.tuned is not None and (Path(source.tuned) / "tokenizer_config.json").is_file()
    if config is not None and not saved:
        return load_tokenizer(config)
    name, revision = (str(source.tuned), None) if saved else (str(source.base), source.revision)
    try:
        return AutoTokenizer.from_pretrained(
            name, revision=revision or "main", trust_remote_code=source.trust_remote_code
        )
    except Exception as error:
        if explained := explain_load_error(error, name, "tokenizer"):
            raise explained from error
        raise


def best_device(hardware: Hardware) -> str:
    """Return the GPU with the most free memory, Apple's GPU, or the CPU."""
    if hardware.kind == "cuda":
        free = [device.free_memory for device in hardware.devices]
        return f"cuda:{free.index(max(free))}"
    return hardware.kind


def fitting_dtype(stored: torch.dtype, device: str, hardware: Hardware) -> torch.dtype:
    """Return the format to load weights in that are stored as `stored`.

    Two-byte weights halve the time of a token where the device multiplies them, and multiply it where it does not:
    a processor without bf16 instructions is eight times slower in bf16 than in fp32.
    """
    if stored == torch.float32:
        return stored
    if device.startswith("cuda"):
        old = any((gpu.compute_capability or (0, 0)) < (8, 0) for gpu in hardware.devices)
        return torch.float16 if old and stored == torch.bfloat16 else stored
    if device.startswith("cpu"):
        return torch.bfloat16 if stored == torch.bfloat16 and hardware.cpu_bf16 else torch.float32
    return stored


def adapter_rows(folder: Path, model: PreTrainedModel) -> int:
    """Return how many embeddings the base of an adapter needs, as far as its files tell; 0 if it holds none.

    Parameters
    ----------
    folder
        The folder of the adapter.
    model
        Its base.
    """
    try:
        settings = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0  # loading it says what is wrong
    asked = settings.get("trainable_token_indices") or []
    lists = cast("list[list[int]]", list(asked.values()) if isinstance(asked, dict) else [asked])
    rows = max((index + 1 for ids in lists for index in ids), default=0)
    # What was saved whole has a row for every token.
    embedding: Any = model.get_input_embeddings()
    holders = (embedding, model.get_output_embeddings())
    names = [f".{name}." for name, module in model.named_modules() if module in holders]
    file = folder / "adapter_model.safetensors"
    tensors = (read_header(file) or {}) if file.is_file() else {}
    for name, shape in tensors.items():
        if shape[1:] == embedding.weight.shape[1:] and any(holder in name for holder in names):
            rows = max(rows, shape[0])
    return rows


def grow_embeddings(model: PreTrainedModel, rows: int) -> None:
    """Give `model` at least `rows` embeddings, each new one the mean of the others.

    An adapter brings the rows of its new tokens; with the mean its base, which never saw them, says them no more often than
    any other token.
    """
    before = int(cast("Any", model.get_input_embeddings()).weight.shape[0])
    if rows <= before:
        return
    model.resize_token_embeddings(rows, mean_resizing=False)
    with torch.no_grad():
        for module in (model.get_input_embeddings(), model.get_output_embeddings()):
            weight = getattr(module, "weight", None)
            if isinstance(weight, torch.Tensor):
                weight[before:] = weight[:before].mean(dim=0, dtype=torch.float32).to(weight.dtype)


def put_adapter_on(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: str
) -> PreTrainedModel:
    """Return `model` with an embedding for every token, and the adapter in `folder` on it.

    Raises
    ------
    ModelError
        The adapter is another model's.
    """
    from peft import PeftModel

    rows = max(tokenizer.get_vocab().values()) + 1
    grow_embeddings(model, max(rows, adapter_rows(Path(folder), model)))
    try:
        return cast("PreTrainedModel", PeftModel.from_pretrained(model, folder))
    except (RuntimeError, ValueError, KeyError) as error:
        raise ModelError(
            f"The adapter '{folder}' does not fit its base model: {str(error).splitlines()[0]}",
            "Use it with the base model that it was trained on.",
        ) from error
