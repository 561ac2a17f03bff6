"""The process that merges an adapter: ``python -m ft_core.infer.merging``, spoken to by `ft_core.infer.merge`.

::

    quantised base + adapter  ──────────── what it says to some prompts
         │ dequantised                                 │
    whole base + adapter  ─────────────── what it says │ compared
         │ added in fp32, rounded once                 │
    saved, and read back from disk  ────── what it says
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ft_core.errors import DataError, FtError, ModelError
from ft_core.infer.source import Source
from ft_core.models.config_overrides import model_settings, overrides_of

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ft_core.config import Config

Tell = Callable[[str, int, int | None], None]

PROMPTS = (
    "Define the word 'money'.",
    "What is the capital of France, and which river flows through it?",
    "Write one sentence about the sea.",
)
"""What both models are asked, to see whether they say the same."""

_TRAINED_ROWS = 64  # of the tokens whose rows were trained, so many are asked for too
_ROOM = 1.1  # what else takes memory and disk beside the weights
_SHARD = "5GB"


def main() -> None:
    """Read the request, merge, and say how far it is and what came of it, a line each."""
    outbox, sys.stdout = sys.stdout, sys.stderr  # what libraries print is no part of the answer

    def send(answer: dict[str, Any]) -> None:
        outbox.write(json.dumps(answer) + "\n")
        outbox.flush()

    def tell(what: str, done: int, total: int | None) -> None:
        send({"type": "progress", "what": what, "done": done, "total": total})

    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        send({"type": "merged", "merged": merge_weights(request, tell)})
    except FtError as error:
        send({"type": "error", "kind": type(error).__name__, "message": error.message, "fix": error.fix})


def _die_with_parent() -> None:
    """End this process when nobody holds the other end of its input any more."""
    sys.stdin.read()
    os._exit(1)


def merge_weights(request: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Merge what `request` names, put the model in place and return what `ft_core.infer.merge.Merged` holds."""
    import torch

    from ft_core.config import load_config
    from ft_core.infer.load import source_tokenizer
    from ft_core.models.add_adapter import add_adapter
    from ft_core.models.dequantise import whole_model
    from ft_core.models.quantise import quantised_base
    from ft_core.train.saving import publish

    _quiet()
    source = Source(**request["source"])
    config = load_config(Path(source.config), check_paths=False) if source.config else None
    tokenizer = source_tokenizer(source, config)
    settings, stored = _base_settings(source)
    if config is None and settings.get("quantization_config"):
        raise ModelError(
            f"The weights of '{source.base}' are quantised, and the adapter alone does not tell how it was trained on them.",
            "Name the run, or the config that it was trained with.",
        )
    quantised = quantised_base(config, settings) if config is not None else None
    if quantised is not None and config is not None and overrides_of(config):
        raise ModelError(
            "An adapter is not merged into weights in few bits whose model's config was written over.",
            "Chat with the adapter on its base, or train on the whole model to merge.",
        )
    dtype = _saved_dtype(request["dtype"], stored)
    working = _working_dtype(source, dtype)
    prompts = _prompts(config, tokenizer, source)

    trained, base = None, None
    if quantised is not None and config is not None:
        tell("loading the quantised base", 0, None)
        few_bits = _with_adapter(_quantised(source, config, settings), tokenizer, source)
        trained = _logits(_in_fp32(few_bits), prompts)
        if request["dequantise"] or quantised.stored:
            origin = (str(source.base), source.revision, source.trust_remote_code)
            base = whole_model(cast("Any", few_bits).unload(), *origin, dtype=working)
        del few_bits
    tell("loading the base", 0, None)
    if base is None:
        base = _load(str(source.base), working, source, **_overridden(source, config))
    model = _with_adapter(base, tokenizer, source)
    side_by_side = _logits(model, prompts)
    _check_disk(model, dtype, Path(request["target"]))

    merged, notes = add_adapter(cast("Any", model), tell)
    tell("saving", 0, None)
    staging = Path(request["staging"])
    merged.to(cast("Any", dtype))
    merged.config.dtype = dtype
    merged.config.use_cache = True
    merged.save_pretrained(staging, max_shard_size=_SHARD)
    tokenizer.save_pretrained(staging)
    del model, merged, base

    tell("reading it back", 0, None)
    read_back = _load(str(staging), working, source)
    said = _logits(read_back, prompts)
    parameters = sum(weight.numel() for weight in read_back.parameters())
    del read_back
    size = sum(file.stat().st_size for file in staging.glob("*.safetensors"))
    publish(staging, Path(request["target"]))
    return {
        "folder": request["target"],
        "base": source.base,
        "adapter": source.tuned,
        "parameters": parameters,
        "size": size,
        "dtype": {torch.bfloat16: "bf16", torch.float16: "fp16", torch.float32: "fp32"}[dtype],
        "positions": len(said),
        "agreeing": int((said.argmax(-1) == side_by_side.argmax(-1)).sum()),
        "difference": (said - side_by_side).abs().max().item(),
        "largest_logit": side_by_side.abs().max().item(),
        "quantised": quantised.words if quantised else "",
        "trained_difference": None if trained is None else (said - trained).abs().max().item(),
        "notes": notes,
    }


def _overridden(source: Source, config: Config | None) -> dict[str, Any]:
    """Return the settings of the base that the adapter was trained with, where they are not its own."""
    if config is None or not overrides_of(config):
        return {}
    revision, trusted = source.revision, source.trust_remote_code
    return {
        "config": model_settings(
            str(source.base), overrides_of(config), revision=revision, trust_remote_code=trusted
        )
    }


def _base_settings(source: Source) -> tuple[dict[str, Any], torch.dtype | None]:
    """Return the base's ``config.json``, and the format that its weights are stored in."""
    from transformers import AutoConfig

    from ft_core.models.source import explain_load_error

    name = str(source.base)
    try:
        loaded = AutoConfig.from_pretrained(
            name, revision=source.revision or "main", trust_remote_code=source.trust_remote_code
        )
    except Exception as error:
        if explained := explain_load_error(error, name, "base model"):
            raise explained from error
        raise
    return loaded.to_dict(), cast("torch.dtype | None", loaded.get_text_config().dtype)


def _saved_dtype(asked: str, stored: torch.dtype | None) -> torch.dtype:
    """Return the format that the merged weights are saved in."""
    import torch

    from ft_core.models.load import torch_dtype

    if asked != "auto":
        return torch_dtype(asked)
    return stored if stored in (torch.bfloat16, torch.float16) else torch.bfloat16


def _working_dtype(source: Source, saved: torch.dtype) -> torch.dtype:
    """Return fp32, in which differences are those of the weights alone, or what is saved where fp32 has no room."""
    import torch

    from ft_core.models.hardware import detect_hardware
    from ft_core.models.parameters import read_outline

    outline = read_outline(str(source.base), source.revision)
    fits = outline is None or outline.total * 4 * _ROOM < detect_hardware().free_memory
    return torch.float32 if fits else saved


def _load(name: str, dtype: torch.dtype, source: Source, **options: Any) -> PreTrainedModel:
    """Load a whole model."""
    from transformers import AutoModelForCausalLM

    from ft_core.models.load import keep_scale
    from ft_core.models.source import explain_load_error

    revision = source.revision if name == source.base else None
    try:
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            name,
            dtype=dtype,
            revision=revision or "main",
            trust_remote_code=source.trust_remote_code,
            **options,
        )
    except Exception as error:
        if explained := explain_load_error(error, name, "base model"):
            raise explained from error
        raise
    keep_scale(model)
    return model


def _quantised(source: Source, config: Config, settings: dict[str, Any]) -> PreTrainedModel:
    """Load the base as it was while the adapter trained."""
    from ft_core.models.hardware import detect_hardware
    from ft_core.models.load import torch_dtype
    from ft_core.models.precision import choose_precision
    from ft_core.models.quantise import keep_differentiable, load_options, quantised_base

    precision = choose_precision(config.model_copy(update={"fp16": False}), detect_hardware())
    options = load_options(config, settings, quantised_base(config, settings), "fp32")
    model = _load(str(source.base), torch_dtype(precision.weights), source, device_map={"": "cpu"}, **options)
    keep_differentiable(model)  # repacked weights cannot be dequantised
    return model


def _in_fp32(model: Any) -> Any:
    """Return a model with everything in fp32 that is no packed weight."""
    for weight in model.parameters():
        if weight.dtype.is_floating_point:
            weight.data = weight.data.float()
    return model


def _with_adapter(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, source: Source
) -> PreTrainedModel:
    """Return `model` with an embedding for every token, and the adapter on it."""
    from ft_core.infer.load import put_adapter_on

    return put_adapter_on(model, tokenizer, str(source.tuned))


def _prompts(config: Config | None, tokenizer: PreTrainedTokenizerBase, source: Source) -> list[list[int]]:
    """Return the ids of the prompts as a chat would send them, and those of tokens whose rows the adapter trained."""
    from ft_core.data import render_prompt

    try:
        chats = ([{"role": "user", "content": text}] for text in PROMPTS)
        prompts = [render_prompt(config, chat, tokenizer) for chat in chats]
    except DataError:  # no chat template
        prompts = [cast("list[int]", tokenizer(text)["input_ids"]) for text in PROMPTS]
    settings = json.loads((Path(str(source.tuned)) / "adapter_config.json").read_text(encoding="utf-8"))
    asked = settings.get("trainable_token_indices") or []
    rows = [index for ids in (asked.values() if isinstance(asked, dict) else [asked]) for index in ids]
    return [*prompts, rows[:_TRAINED_ROWS]] if rows else prompts


def _logits(model: Any, prompts: list[list[int]]) -> torch.Tensor:
    """Return what `model` says at every position of every prompt: fp32 of shape ``[positions, vocabulary]``."""
    import torch

    with torch.inference_mode():
        return torch.cat(
            [model.eval()(torch.tensor([ids]), use_cache=False).logits[0].float() for ids in prompts]
        )


def _check_disk(model: Any, dtype: torch.dtype, target: Path) -> None:
    """Raise a ModelError where the disk has no room for the merged model."""
    from ft_core.train.memory import gib

    needed = sum(weight.numel() for weight in model.parameters()) * dtype.itemsize * _ROOM
    free = shutil.disk_usage(target.parent).free
    if needed > free:
        raise ModelError(
            f"The disk of {target.parent} has {gib(free)} free, and the merged model takes about {gib(needed)}.",
            "Free some space, or name a folder on another disk with --out.",
        )


def _quiet() -> None:
    """Keep progress bars and notices of the libraries off."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()


if __name__ == "__main__":
    main()
