"""Checks of the model's and the tokenizer's classes, and of where the model lies."""

from __future__ import annotations

import re

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


def check_model(asked: Asked) -> None:
    """Report classes that cannot be loaded, and two placements or two tokenizers at once."""
    _check_classes(asked)
    pairs = PAIRS if asked.given("chat_template") else [pair for pair in PAIRS if pair[0] != "chat_template"]
    refuse_pairs(asked, pairs)


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
