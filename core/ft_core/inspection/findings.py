"""What is wrong or suspicious with a set, worst first: how many rows, why, and what to write in the config."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ft_core.inspection.finding import Finding, flag_finding
from ft_core.inspection.flags import FLAGS, SEVERITIES, Flag
from ft_core.inspection.marks import flagged
from ft_core.inspection.scan import Scanned
from ft_core.inspection.set_findings import Set, set_findings

if TYPE_CHECKING:
    from ft_core.config import Config

Differing = Mapping[int, tuple[str, str]]
"""By the places whose prompt differs from the training's ids: why, and what to do."""

_PLAIN = ("completion", "pretrain")

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


def _unknown_role(found: Found, flag: Flag, __: NDArray[np.int32]) -> Words:
    unknown = list(found.totals.unknown)
    return (
        f"The roles {_listed(found.totals.unknown, 5)} are known neither under roles nor to the chat template.",
        f"Name them: {roles_line(found, unknown)}" if unknown else flag.fix,
    )


def roles_line(found: Found, unknown: Sequence[str]) -> str:
    """Return the line of a dataset that names the roles `unknown` beside those that it has."""
    dataset = found.of.datasets[0].dataset
    roles = {role: list(names) for role, names in dataset.roles.items()}
    for name in unknown:
        meant = next((role for role, names in _MEANT.items() if name.lower() in names), "assistant")
        if name.lower() in roles:
            meant = name.lower()
        roles.setdefault(meant, []).append(name)
    written = ", ".join(f"{role}: [{', '.join(names)}]" for role, names in roles.items())
    return f"roles: {{{written}}}"


def _nothing_trained(found: Found, flag: Flag, places: NDArray[np.int32]) -> Words:
    columns = found.of.columns
    cut = np.count_nonzero(np.isin(places, columns.place[columns.cut > 0]))
    if cut * 2 > len(places):
        return (
            f"No token has a label; in {cut:,} of these rows the answer was cut off at sequence_len.",
            f"Raise sequence_len (it is {found.config.sequence_len:,}).",
        )
    roles = ", ".join(f"'{role}'" for role in found.totals.roles if role != "template")
    dataset = found.of.datasets[0].dataset
    if dataset.type != "chat_template" or not roles:
        return flag.description, "Check which column holds the answer."
    to_train = ", ".join(dataset.roles_to_train)
    return (
        f"No token has a label: the set's roles are {roles}, and roles_to_train is [{to_train}].",
        "Name those who answer in roles_to_train, or what they are called under roles.",
    )


def _stop_untrained(found: Found, flag: Flag, __: NDArray[np.int32]) -> Words:
    stops = found.totals.stops
    if not stops:
        return flag.description, flag.fix
    token = stops.most_common(1)[0][0]
    if token in (found.config.eot_tokens or ()):
        fix = "Set train_on_eot: turn."
    elif found.of.datasets[0].dataset.train_on_eos != "turn":
        fix = "Set train_on_eos: turn."
    else:
        fix = f"Set eot_tokens: ['{token}']."
    return f"'{token}' ends the answers and has no label, so the model does not learn to stop.", fix


def _too_long(found: Found, flag: Flag, _: NDArray[np.int32]) -> Words:
    columns = found.of.columns
    lengths = columns.length[columns.length > 0].astype(np.int64) + columns.cut[columns.length > 0]
    limit = found.config.sequence_len
    suggested = [(share, _rounded(float(np.quantile(lengths, share)))) for share in (0.95, 0.99, 1.0)]
    useful = [(share, length) for share, length in suggested if length > limit]
    # The smallest that mends most: above the last percentile one row may be as long as it likes.
    share, length = useful[0] if useful else suggested[-1]
    lost = int(columns.cut.sum(dtype=np.int64)) if flag.name == "truncated" else None
    what = (
        f"{lost:,} tokens were cut off at sequence_len ({limit:,})"
        if lost is not None
        else f"They are longer than sequence_len ({limit:,}), so training leaves them out"
    )
    fix = f"sequence_len: {length} holds {share:.0%} of the samples whole."
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
    "nothing_trained": _nothing_trained,
    "stop_untrained": _stop_untrained,
    "too_long": _too_long,
    "truncated": _too_long,
    "everything_trained": _everything_trained,
    "duplicate": _duplicate,
    "prompt_differs": _prompt_differs,
}
"""What says more than a flag's own description."""
