"""What is wrong or suspicious with a set, worst first: how many rows, why, and what to write in the config."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ft_core.data.document import TEMPLATE_ROLE
from ft_core.inspection.finding import Finding, flag_finding
from ft_core.inspection.flags import FLAGS, SEVERITIES, Flag
from ft_core.inspection.marks import flagged
from ft_core.inspection.scan import Scanned
from ft_core.inspection.set_findings import Set, set_findings

if TYPE_CHECKING:
    from ft_core.config import Config, Dataset

Differing = Mapping[int, tuple[str, str]]
"""By the places whose prompt differs from the training's ids: why, and what to do."""

_MEANT = {
    "user": ("prompter", "customer", "question", "instruction", "client", "input", "person", "me"),
    "assistant": (
        "bot",
        "model",
        "ai",
        "chatgpt",
        "chatbot",
        "answer",
        "response",
        "output",
        "agent",
        "bard",
    ),
    "system": ("sys", "context", "system_prompt"),
    "tool": ("function", "observation", "function_response", "tool_response", "ipython", "environment"),
}
"""What the roles that people write most likely mean."""

_YAML_WORDS = ("yes", "no", "on", "off", "true", "false", "null", "y", "n")
"""What is no text in a list of YAML unless it is quoted."""

_ROUND = 64
"""What a suggested sequence_len is a multiple of."""


@dataclass(frozen=True, eq=False)
class Found:
    """All that is known of a set.

    Attributes
    ----------
    config
        Whose set it is.
    of
        Its samples.
    totals
        What the batches count.
    differing
        What the comparison of prompts found.
    """

    config: Config
    of: Set
    totals: Scanned
    differing: Differing


def findings(found: Found) -> tuple[Finding, ...]:
    """Return what is wrong or suspicious, worst first; of what is equally bad, what more rows have."""
    told: list[Finding] = []
    for flag in FLAGS:
        places = flagged(found.of.columns, flag.name)
        if len(places) and (words := _WORDS.get(flag.name, _as_described)(found, flag, places)):
            told.append(flag_finding(flag, places, found.of.rows, *words))
    told += set_findings(found.of)
    return tuple(sorted(told, key=lambda each: (SEVERITIES.index(each.severity), -each.share)))


Words = tuple[str, str]
"""A reason and a fix."""


def _as_described(_: Found, flag: Flag, __: NDArray[np.int32]) -> Words:
    return flag.description, flag.fix


def _broken(found: Found, flag: Flag, places: NDArray[np.int32]) -> Words:
    listed = _listed(found.totals.causes, 3)
    if not found.totals.broken:
        return flag.description, flag.fix
    first = found.totals.broken[0][1]
    fix = first.fix or flag.fix
    if found.config.broken_rows != "skip" and len(places) < found.of.rows:
        fix = f"{fix} Or leave them out: broken_rows: skip."
    return f"{listed}. The first: {first.message}", fix


def _unknown_role(found: Found, flag: Flag, places: NDArray[np.int32]) -> Words:
    unknown = found.totals.unknown
    if not unknown:
        return flag.description, flag.fix
    quoted = Counter({f"'{role}'": count for role, count in unknown.items()})
    line = _roles_line(_dataset(found, places), list(unknown))
    return (
        f"Neither roles nor the chat template knows {_listed(quoted, 5)}.{_untrained(found, places)}",
        f"Name them in the dataset: {line}",
    )


def _empty_turn(found: Found, flag: Flag, places: NDArray[np.int32]) -> Words:
    return f"{flag.description}{_untrained(found, places)}", flag.fix


def _untrained(found: Found, places: NDArray[np.int32]) -> str:
    """Return in how many of these rows nothing is trained, as a further sentence; nothing where that is in none."""
    count = int(np.count_nonzero(np.isin(places, flagged(found.of.columns, "nothing_trained"))))
    return f" In {count:,} of these rows nothing is trained." if count else ""


def _dataset(found: Found, places: NDArray[np.int32]) -> Dataset:
    """Return the dataset that the first of some rows is of."""
    first = int(places[0])
    return next(each.dataset for each in reversed(found.of.datasets) if each.first <= first)


def _roles_line(dataset: Dataset, unknown: Sequence[str]) -> str:
    """Return the line of a dataset that names the roles `unknown` beside those that it has."""
    roles = {role: list(names) for role, names in dataset.roles.items()}
    for name in unknown:
        lower = name.lower()
        meant = next((role for role, names in _MEANT.items() if lower in names), "assistant")
        roles.setdefault(lower if lower in roles else meant, []).append(name)
    written = ", ".join(f"{role}: [{', '.join(map(_yaml, names))}]" for role, names in roles.items())
    return f"roles: {{{written}}}"


def _yaml(name: str) -> str:
    """Return a name as it may stand in a list of YAML.

    >>> _yaml("bot"), _yaml("no"), _yaml("the bot: 1")
    ('bot', '"no"', '"the bot: 1"')
    """
    plain = re.fullmatch(r"[A-Za-z_][\w-]*", name, re.ASCII) and name.lower() not in _YAML_WORDS
    return name if plain else json.dumps(name, ensure_ascii=False)


def _nothing_trained(found: Found, flag: Flag, places: NDArray[np.int32]) -> Words | None:
    columns = found.of.columns
    causes = [flagged(columns, name) for name in ("unknown_role", "empty_turn")]
    left = places[~np.isin(places, np.concatenate(causes))]
    if not len(left):
        # What causes it says so.
        return None
    cut = np.count_nonzero(np.isin(left, columns.place[columns.cut > 0]))
    if cut * 2 > len(left):
        return (
            f"No token has a label; in {cut:,} of these rows the answer was cut off at sequence_len.",
            f"Raise sequence_len (it is {found.config.sequence_len:,}).",
        )
    roles = ", ".join(f"'{role}'" for role in found.totals.roles if role != TEMPLATE_ROLE)
    dataset = _dataset(found, left)
    if dataset.type != "chat_template" or not roles:
        return flag.description, "Check which column holds the answer."
    return (
        f"No token has a label: the set's roles are {roles}, and roles_to_train is [{', '.join(dataset.roles_to_train)}].",
        "Name those who answer in roles_to_train, or what they are called under roles.",
    )


def _stop_untrained(found: Found, flag: Flag, places: NDArray[np.int32]) -> Words:
    stops = found.totals.stops
    if not stops:
        return flag.description, flag.fix
    token = stops.most_common(1)[0][0]
    if token in (found.config.eot_tokens or ()):
        fix = "Set train_on_eot: turn."
    elif _dataset(found, places).train_on_eos != "turn":
        fix = "Set train_on_eos: turn."
    else:
        fix = f"Set eot_tokens: ['{token}']."
    return f"'{token}' ends the answers and has no label, so the model does not learn to stop.", fix


def _too_long(found: Found, flag: Flag, _: NDArray[np.int32]) -> Words:
    columns = found.of.columns
    lengths = columns.length[columns.length > 0].astype(np.int64) + columns.cut[columns.length > 0]
    limit = found.config.sequence_len
    # The smallest that mends something: above the last percentile one row may be as long as it likes.
    suggested = [_rounded(float(np.quantile(lengths, share))) for share in (0.95, 0.99, 1.0)]
    length = next(each for each in suggested if each > limit)
    lost = int(columns.cut.sum(dtype=np.int64)) if flag.name == "truncated" else None
    what = (
        f"{lost:,} tokens were cut off at sequence_len ({limit:,})"
        if lost is not None
        else f"They are longer than sequence_len ({limit:,}), so training leaves them out"
    )
    whole = float(np.count_nonzero(lengths <= length) / len(lengths))
    fix = f"sequence_len: {length} holds {math.floor(100 * whole)}% of the samples whole."
    return f"{what}; the longest sample has {int(lengths.max()):,} tokens.", fix


def _everything_trained(found: Found, flag: Flag, _: NDArray[np.int32]) -> Words | None:
    if found.config.train_on_inputs:
        return None
    return f"{flag.description} train_on_inputs is false.", flag.fix


def _duplicate(found: Found, flag: Flag, _: NDArray[np.int32]) -> Words:
    held = found.config.val_set_size and not found.config.test_datasets
    more = (
        " With val_set_size, copies may be in both parts, and the evaluation is then of rows it knows."
        if held
        else ""
    )
    return f"An earlier sample has the same ids and labels.{more}", flag.fix


def _prompt_differs(found: Found, flag: Flag, _: NDArray[np.int32]) -> Words:
    if not found.differing:
        return flag.description, flag.fix
    causes = Counter(cause for cause, _ in found.differing.values())
    most = causes.most_common(1)[0][0]
    fix = next(fix for cause, fix in found.differing.values() if cause == most)
    return _listed(causes, 3), fix or flag.fix


def _listed(counts: Counter[str], most: int) -> str:
    """Return the most frequent of some words with their counts.

    >>> _listed(Counter(bot=3, human=1), 2)
    'bot (3), human (1)'
    """
    return ", ".join(f"{words.rstrip('.')} ({count:,})" for words, count in counts.most_common(most))


def _rounded(length: float) -> int:
    return math.ceil(length / _ROUND) * _ROUND


_WORDS: dict[str, Callable[[Found, Flag, NDArray[np.int32]], Words | None]] = {
    "broken": _broken,
    "unknown_role": _unknown_role,
    "empty_turn": _empty_turn,
    "nothing_trained": _nothing_trained,
    "stop_untrained": _stop_untrained,
    "too_long": _too_long,
    "truncated": _too_long,
    "everything_trained": _everything_trained,
    "duplicate": _duplicate,
    "prompt_differs": _prompt_differs,
}
"""What says more than a flag's own description."""
