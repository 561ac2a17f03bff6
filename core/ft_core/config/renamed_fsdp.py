"""FSDP as it was written before its second version: a list ``fsdp`` and options that begin with ``fsdp_``.

::

    fsdp: [full_shard, auto_wrap]                      fsdp_config:
    fsdp_config:                                         reshard_after_forward: true
      fsdp_offload_params: true                 ->       auto_wrap_policy: TRANSFORMER_BASED_WRAP
      fsdp_use_orig_params: false                        offload_params: true
      fsdp_state_dict_type: FULL_STATE_DICT              state_dict_type: FULL_STATE_DICT
"""

from __future__ import annotations

import re
from typing import Any

from ft_core.config.document import Path
from ft_core.config.draft import Draft
from ft_core.config.problems import did_you_mean, listed, shown
from ft_core.config.translate import asks, move, take

PREFIX = "fsdp_"

WORDS = {
    "full_shard": ("reshard_after_forward", True),
    "shard_grad_op": ("reshard_after_forward", False),
    "auto_wrap": ("auto_wrap_policy", "TRANSFORMER_BASED_WRAP"),
    "offload": ("offload_params", True),
}
"""What each word of the list is today."""

STRATEGIES = {
    "1": "full_shard",
    "2": "shard_grad_op",
    "3": "no_shard",
    "4": "hybrid_shard",
    "5": "hybrid_shard_zero2",
}
"""The numbers that fsdp_sharding_strategy has for them."""

NOT_TRANSLATED = {
    "no_shard": "remove it: without FSDP every GPU holds the whole model",
    "hybrid_shard": "use dp_shard_size and dp_replicate_size",
    "hybrid_shard_zero2": "use dp_shard_size and dp_replicate_size",
}

FIRST_VERSION_ONLY = (
    "backward_prefetch",
    "backward_prefetch_policy",
    "forward_prefetch",
    "limit_all_gathers",
    "sync_module_states",
    "use_orig_params",
    "cpu_offload",
)
"""Options that the second version has no use for."""


def rename_fsdp(draft: Draft) -> None:
    """Move what ``fsdp``, ``fsdp_final_state_dict_type`` and the prefixed options say to ``fsdp_config``."""
    _drop_prefixes(draft)
    value = take(draft.data, "fsdp")
    if value is not None:
        _move_words(draft, value)
    value = take(draft.data, "fsdp_final_state_dict_type")
    if value is not None:
        path = ("fsdp_final_state_dict_type",)
        now = "fsdp_config: {final_state_dict_type: ...}"
        draft.warn(path, f"'fsdp_final_state_dict_type' is now written '{now}'", f"write '{now}'")
        move(draft, path, ("fsdp_config", "final_state_dict_type"), value)


def _drop_prefixes(draft: Draft) -> None:
    """Give the options of fsdp_config the names without ``fsdp_``, and drop those of the first version."""
    given = draft.data.get("fsdp_config")
    if not isinstance(given, dict):
        return
    options: dict[str, Any] = dict(given)
    draft.data["fsdp_config"] = {}
    prefixed: list[str] = []
    for key, value in options.items():
        name = key if key == "fsdp_version" else key.removeprefix(PREFIX)
        name = "fsdp_version" if name == "version" else name
        path: Path = ("fsdp_config", key)
        if name in FIRST_VERSION_ONLY:
            if asks(value):
                message = f"'{key}' has no effect: only the first version of FSDP had this option"
                draft.warn(path, message, "remove it")
        elif name == "sharding_strategy":
            if asks(value):
                _move_strategy(draft, path, value)
        elif name != key:
            if asks(value) or value is False:
                prefixed.append(key)
                move(draft, path, ("fsdp_config", name), value)
        else:
            move(draft, path, path, value)
    if prefixed:
        names = listed([f"'{key.removeprefix(PREFIX)}'" for key in prefixed]).replace(" or ", " and ")
        draft.warn(
            ("fsdp_config", prefixed[0]),
            "the options of 'fsdp_config' are now written without 'fsdp_'",
            f"write {names}",
        )
    if not draft.data["fsdp_config"]:
        del draft.data["fsdp_config"]


def _move_words(draft: Draft, value: Any) -> None:
    """Move the words of ``fsdp``, a list or a text in which they stand apart, to options of fsdp_config."""
    words: list[tuple[Path, object]]
    if isinstance(value, str):
        words = [(("fsdp",), word) for word in re.split(r"[\s,]+", value) if word]
    elif isinstance(value, list):
        words = [(("fsdp", index), word) for index, word in enumerate(value)]
    else:
        fix = (
            "write 'fsdp_config: {reshard_after_forward: true}'"
            if value is True
            else "write it in fsdp_config"
        )
        draft.report(("fsdp",), f"'fsdp' must be a list of words, not {shown(value)}", fix)
        return
    now: list[str] = []
    for path, word in words:
        if isinstance(word, str) and word in WORDS:
            name, option = WORDS[word]
            now.append(f"{name}: {str(option).lower() if option is not WORDS['auto_wrap'][1] else option}")
            own = draft.data.get("fsdp_config")
            # A policy of one's own is more exact than the word.
            if word != "auto_wrap" or not (isinstance(own, dict) and asks(own.get(name))):
                move(draft, ("fsdp",), ("fsdp_config", name), option)
        else:
            _refuse(draft, path, word)
    if now:
        text = f"fsdp_config: {{{', '.join(now)}}}"
        draft.warn(("fsdp",), f"'fsdp' is now written '{text}'", f"write '{text}'")


def _move_strategy(draft: Draft, path: Path, value: Any) -> None:
    word = STRATEGIES.get(str(value), str(value).lower())
    if word not in ("full_shard", "shard_grad_op"):
        _refuse(draft, path, value if word not in NOT_TRANSLATED else word)
        return
    name, option = WORDS[word]
    now = f"{name}: {str(option).lower()}"
    draft.warn(path, f"'{path[-1]}' is now written '{now}'", f"write '{now}'")
    move(draft, path, ("fsdp_config", name), option)


def _refuse(draft: Draft, path: Path, word: object) -> None:
    name = path[-1] if path[0] == "fsdp_config" else "fsdp"
    if isinstance(word, str) and word in NOT_TRANSLATED:
        message = f"'{name}' cannot be '{word}': it is not supported yet"
        draft.report(path, message, NOT_TRANSLATED[word])
        return
    guess = did_you_mean(word, [*WORDS, *NOT_TRANSLATED]) if isinstance(word, str) else ""
    draft.report(
        path, f"'{name}' cannot hold {shown(word)}{guess}", f"use {listed([repr(known) for known in WORDS])}"
    )
