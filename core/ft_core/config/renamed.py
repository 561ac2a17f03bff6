"""Older and second names of keys, and older ways to write what another key says today.

Each is translated, with a warning that says what to write now; Axolotl refuses most of them, or ignores them without a
word. docs/reference/compatibility.md lists them all.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from ft_core.config.document import read_scalar
from ft_core.config.draft import Draft
from ft_core.config.pretraining import move_pretraining
from ft_core.config.renamed_datasets import rename_in_datasets
from ft_core.config.renamed_fsdp import rename_fsdp
from ft_core.config.retired import GONE, WITHOUT_EFFECT, drop_retired
from ft_core.config.translate import asks, copied, in_short, move, take

ALIASES = {
    "model_config": "overrides_of_model_config",
    "model_kwargs": "overrides_of_model_kwargs",
    "model_revision": "revision_of_model",
    "type_of_model": "model_type",
}
"""Second names, as good as the first."""

OLDER = {
    "adam_eps": "adam_epsilon",
    "dataset_processes": "dataset_num_proc",
    "dpo_beta": "rl_beta",
    "eval_max_new_tokens": "generation_max_new_tokens",
    "eval_table_max_new_tokens": "generation_max_new_tokens",
    "evaluation_strategy": "eval_strategy",
    "liger_swiglu": "liger_glu_activation",
    "load_4bit": "gptq",
    "noisy_embedding_alpha": "neftune_noise_alpha",
    "pretrain_multipack_buffer_size": "streaming_multipack_buffer_size",
    "push_to_hub_model_id": "hub_model_id",
    "random_init_weights": "reinit_weights",
    "relora_anneal_steps": "jagged_restart_anneal_steps",
    "relora_warmup_steps": "jagged_restart_warmup_steps",
    "sequence_parallel_degree": "context_parallel_size",
}
"""Names that Axolotl gave up."""

ATTENTION = {
    "flash_attention": "flash_attention_2",
    "sdp_attention": "sdpa",
    "eager_attention": "eager",
    "xformers_attention": "xformers",
    "flex_attention": "flex_attention",
    "sage_attention": "sage",
}
"""Switches that attn_implementation replaced."""

ATTENTION_WORDS = {"flash": "flash_attention_2", "sdp": "sdpa", "flex": "flex_attention"}
"""What ``attention:`` called some of them."""

PRECISION = {
    "bfloat16": (
        {"bf16": True},
        "the weights that are trained stay in float32, where Axolotl keeps them in bfloat16",
    ),
    "float16": (
        {"bf16": False, "fp16": True},
        "the weights that are trained stay in float32, where Axolotl keeps them in float16",
    ),
    "float32": ({"bf16": False, "fp16": False}, ""),
}
"""Switches for training without mixed precision: what they mean for today's keys, and how that differs."""

WORDS: dict[str, dict[str, Any]] = {
    "attn_implementation": {"flash_attention_torch": "varlen"},
    "bf16": {"full": True},
    "chat_template": {"inst": "mistral_v1"},
    "gradient_checkpointing": {"unsloth": "offload"},
    "optimizer": {"adamw_apex_fused": "adamw_torch_fused", "adamw_hf": "adamw_torch"},
    "rl": {"kto_pair": "kto"},
}
"""Values that Axolotl gave up or calls something else, by key, and the same here today."""

OTHER_FORMS = (
    "attention",
    "base_model_config",
    "eval_table_size",
    "fsdp",
    "fsdp_final_state_dict_type",
    "gc_steps",
    "relora_steps",
    "rope_scaling",
)
"""Keys whose translation is more than another name."""

OLDER_KEYS = frozenset((*ALIASES, *OLDER, *ATTENTION, *PRECISION, *OTHER_FORMS, *GONE, *WITHOUT_EFFECT))
"""Every top-level key that is translated, dropped or refused here."""


def today(key: str) -> str:
    """Return the name that the top-level `key` has today.

    >>> today("dpo_beta"), today("sdp_attention"), today("seed")
    ('rl_beta', 'attn_implementation', 'seed')
    """
    return "attn_implementation" if key in ATTENTION else (ALIASES | OLDER).get(key, key)


def rename_keys(draft: Draft) -> None:
    """Move the values of older forms to where they belong today, with a warning where the form is no longer one."""
    draft.data = copied(draft.data)
    drop_retired(draft)
    for old, new in ALIASES.items():
        if (value := take(draft.data, old)) is not None:
            move(draft, (old,), (new,), value)
    for old, new in OLDER.items():
        value = draft.data.pop(old, None)
        # A bare 'no' is false in YAML 1.1.
        if asks(value) or (value is False and new == "eval_strategy"):
            draft.warn((old,), f"'{old}' is now called '{new}'", f"write '{new}'")
            move(draft, (old,), (new,), value)
    _rename_words(draft)
    _read_optim_args(draft)
    _rename_attention(draft)
    _rename_precision(draft)
    _rename_relora(draft)
    _rename_token_map(draft)
    _split_gc_steps(draft)
    _rename_eval_table(draft)
    _rename_warmup_share(draft)
    if (value := take(draft.data, "rope_scaling")) is not None:
        _told(draft, "rope_scaling", "overrides_of_model_config: {rope_scaling: ...}")
        move(draft, ("rope_scaling",), ("overrides_of_model_config", "rope_scaling"), value)
    rename_fsdp(draft)
    move_pretraining(draft)
    rename_in_datasets(draft)


def _told(draft: Draft, old: str, now: str, difference: str = "") -> None:
    """Warn that the top-level key `old` is written `now` today."""
    more = f"; {difference}" if difference else ""
    draft.warn((old,), f"'{old}' is now written '{now}'{more}", f"write '{now}'")


def _rename_words(draft: Draft) -> None:
    for key, words in WORDS.items():
        word = draft.data.get(key)
        if isinstance(word, str) and word in words:
            now = f"{key}: {in_short(words[word])}"
            draft.warn((key,), f"'{key}: {word}' is now written '{now}'", f"write '{now}'")
            draft.data[key] = words[word]
            draft.reworded[(key,)] = word


def _read_optim_args(draft: Draft) -> None:
    """Make a map of ``optim_args: eps=1e-8,betas=...``, which Axolotl takes as well."""
    text = draft.data.get("optim_args")
    pairs = [pair.partition("=") for pair in text.split(",")] if isinstance(text, str) else []
    if pairs and all(key.strip() and equals for key, equals, _ in pairs):
        with suppress(ValueError):
            draft.data["optim_args"] = {key.strip(): read_scalar(value.strip()) for key, _, value in pairs}


def _rename_attention(draft: Draft) -> None:
    for old, name in ATTENTION.items():
        if _take_switch(draft, old):
            _told(draft, old, f"attn_implementation: {name}")
            move(draft, (old,), ("attn_implementation",), name)
    value = take(draft.data, "attention")
    if value is not None:
        name = ATTENTION_WORDS.get(value, value) if isinstance(value, str) else value
        _told(draft, "attention", f"attn_implementation: {in_short(name)}")
        move(draft, ("attention",), ("attn_implementation",), name)


def _take_switch(draft: Draft, key: str) -> bool:
    """Remove the switch `key` and return whether it is on; what is neither true nor false is an error."""
    value = take(draft.data, key)
    if value is None or (isinstance(value, str) and value.lower() == "false"):
        return False
    if value is True or (isinstance(value, str) and value.lower() == "true"):
        return True
    draft.report((key,), f"'{key}' must be true or false", "write 'true', or remove it")
    return False


def _rename_precision(draft: Draft) -> None:
    for old, (formats, difference) in PRECISION.items():
        if not _take_switch(draft, old):
            continue
        _told(draft, old, ", ".join(f"{key}: {str(on).lower()}" for key, on in formats.items()), difference)
        for key, on in formats.items():
            # 'bf16: false' beside 'bfloat16: true' meant: no mixed precision.
            if on and not asks(draft.data.get(key)) and not draft.override_of((key,)):
                draft.data.pop(key, None)
            if draft.data.get(key) == "auto" and not draft.override_of((key,)):
                del draft.data[key]
            if not move(draft, (old,), (key,), on) and draft.is_bad((old,)):
                break


def _rename_relora(draft: Draft) -> None:
    value = take(draft.data, "relora_steps")
    if value is not None:
        _told(draft, "relora_steps", f"relora: true, jagged_restart_steps: {in_short(value)}")
        move(draft, ("relora_steps",), ("relora",), True)
        move(draft, ("relora_steps",), ("jagged_restart_steps",), value)


def _rename_token_map(draft: Draft) -> None:
    """Move a map under ``tokens``, where special tokens stood in 2023; today it is a list of new tokens."""
    tokens = draft.data.get("tokens")
    if not isinstance(tokens, dict):
        return
    del draft.data["tokens"]
    given: dict[str, Any] = {key: value for key, value in tokens.items() if value is not None}
    if given:
        _told(draft, "tokens", "special_tokens: {...}")
    for key, value in given.items():
        move(draft, ("tokens", key), ("special_tokens", key), value)


def _split_gc_steps(draft: Draft) -> None:
    value = take(draft.data, "gc_steps")
    if value is not None:
        _told(
            draft,
            "gc_steps",
            f"torch_empty_cache_steps: {in_short(value)}, gc_collect_steps: {in_short(value)}",
        )
        move(draft, ("gc_steps",), ("torch_empty_cache_steps",), value)
        move(draft, ("gc_steps",), ("gc_collect_steps",), value)


def _rename_eval_table(draft: Draft) -> None:
    value = take(draft.data, "eval_table_size")
    if value is not None and value != 0:
        _told(draft, "eval_table_size", f"generate_samples: true, num_generation_samples: {in_short(value)}")
        move(draft, ("eval_table_size",), ("generate_samples",), True)
        move(draft, ("eval_table_size",), ("num_generation_samples",), value)


def _rename_warmup_share(draft: Draft) -> None:
    """Move a share under ``warmup_steps``, where Transformers 5 takes one and Axolotl's examples have it."""
    value = draft.data.get("warmup_steps")
    if isinstance(value, float) and 0 < value < 1:
        del draft.data["warmup_steps"]
        _told(draft, "warmup_steps", f"warmup_ratio: {value:g}", "below 1 it is a share of all steps")
        move(draft, ("warmup_steps",), ("warmup_ratio",), value)
