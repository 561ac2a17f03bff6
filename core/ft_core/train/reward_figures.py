"""How far a model tells better answers from worse: TRL's figures by one name each."""

from __future__ import annotations

from collections.abc import Mapping

from ft_core.runs.metrics import REWARD_COLUMNS

_OF_REWARD_MODELS = {"rewards/accuracies": "accuracy", "rewards/margins": "margin"}


def reward_figures(logs: Mapping[str, float], prefix: str = "") -> dict[str, float]:
    """Return the figures among `logs`, whose names begin with `prefix`.

    >>> reward_figures({"eval_loss": 0.6, "eval_rewards/chosen": 0.5, "eval_accuracy": 1.0}, "eval_")
    {'rewards/chosen': 0.5, 'rewards/accuracies': 1.0}
    """
    found: dict[str, float] = {}
    for name in REWARD_COLUMNS:
        for key in (f"{prefix}{name}", f"{prefix}{_OF_REWARD_MODELS.get(name, name)}"):
            if key in logs:
                found[name] = float(logs[key])
    return found
