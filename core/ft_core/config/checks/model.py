"""Checks of the model's and the tokenizer's classes, and of where the model lies."""

from __future__ import annotations

import re
from typing import cast

from ft_core.config.checks.asked import BOTH, Asked, refuse_pairs

OTHER_MODELS = r"[A-Z]\w*(For[A-Z]\w*|LMHeadModel)"
"""What classes of models are called that are no causal language models, such as Llama4ForConditionalGeneration."""

PAIRS = (
    (
        "gpu_memory_limit",
        "max_memory",
        "'gpu_memory_limit' and 'max_memory' both say how much memory the weights may take",
        BOTH,
    ),
    *(
        (
            key,
            "tokenizer_use_mistral_common",
            f"'{key}' has no place beside 'tokenizer_use_mistral_common': that tokenizer cannot be changed",
            BOTH,
        )
        for key in ("chat_template", "tokens", "added_tokens_overrides", "processor_kwargs")
    ),
)


DECIDED = {
    "dtype": "'bf16', 'fp16' or neither decides it",
    "torch_dtype": "'bf16', 'fp16' or neither decides it",
    "attn_implementation": "'attn_implementation' is a key of its own",
    "device_map": "the whole model is on each device",
    "max_memory": "the whole model is on each device",
    "quantization_config": "'load_in_4bit', 'load_in_8bit' and 'bnb_config_kwargs' are keys of their own",
    "load_in_4bit": "'load_in_4bit' is a key of its own",
    "load_in_8bit": "'load_in_8bit' is a key of its own",
    "trust_remote_code": "'trust_remote_code' is a key of its own",
    "revision": "'revision_of_model' says it",
    "config": "'overrides_of_model_config' says it",
    "num_labels": "'reward_model' decides it",
    "model_type": "the weights are those of the model that 'base_model' names",
    "architectures": "the weights are those of the model that 'base_model' names",
    "auto_map": "the weights are those of the model that 'base_model' names",
}
"""What is no entry to write over and no argument to give, and what decides it."""

WITHOUT_EFFECT = {
    "use_cache": "training keeps no keys and values",
    "output_router_logits": "the loss is that of the tokens alone",
}
"""Entries that change nothing here, and why."""


def check_model(asked: Asked) -> None:
    """Report classes that cannot be loaded, two placements or two tokenizers at once, and weights that cannot be new."""
    _check_classes(asked)
    _check_overrides(asked)
    kept = next(
        (key for key in ("adapter", "load_in_4bit", "load_in_8bit", "gptq") if asked.value(key)), None
    )
    if asked.value("reinit_weights") and kept is not None:
        message = f"'reinit_weights' makes all weights new, and '{kept}' leaves them as they are"
        asked.draft.report(("reinit_weights",), message, BOTH, at="key")
    pairs = PAIRS if asked.given("chat_template") else [pair for pair in PAIRS if pair[0] != "chat_template"]
    refuse_pairs(asked, pairs)


def _check_overrides(asked: Asked) -> None:
    for key in ("overrides_of_model_config", "overrides_of_model_kwargs"):
        value: object = asked.value(key)
        for entry in cast("dict[str, object]", value) if isinstance(value, dict) else ():
            if entry in DECIDED:
                message = f"'{key}' cannot hold '{entry}': {DECIDED[entry]}"
                asked.draft.report((key, entry), message, "remove the entry", at="key")
            elif entry in WITHOUT_EFFECT:
                message = f"'{entry}' in '{key}' has no effect: {WITHOUT_EFFECT[entry]}"
                asked.draft.warn((key, entry), message, "remove the entry")


def _check_classes(asked: Asked) -> None:
    config, draft = asked.config, asked.draft
    accepted = {
        "model_type": (config.model_type, "AutoModelForCausalLM", r"[A-Za-z]\w*ForCausalLM"),
        "tokenizer_type": (config.tokenizer_type, "AutoTokenizer", r"[A-Za-z]\w*Tokenizer(Fast)?"),
    }
    for key, (value, auto, pattern) in accepted.items():
        if value == auto:
            continue
        if re.fullmatch(pattern, value):
            message = f"'{key}: {value}' has no effect: the class that the checkpoint names is used"
            draft.warn((key,), message, "remove the line")
            continue
        message = f"'{key}' cannot be '{value}'"
        if key == "model_type" and re.fullmatch(OTHER_MODELS, value):
            message += ": it is not supported yet"
        draft.report((key,), message, f"remove the line, or write '{auto}'")
