"""Whether training will teach a model to end its turn, told by its tokenizer's files before anything is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ft_core.config import Problem
from ft_core.data.formats.turn_ends import resolve_turn_ends
from ft_core.data.template import resolve_template
from ft_core.errors import DataError
from ft_core.train.light_tokenizer import LightTokenizer

if TYPE_CHECKING:
    from ft_core.config import Config


def check_turn_ends(config: Config, tokenizer: LightTokenizer) -> list[Problem]:
    """Return what preparing the data will say of the tokens that end a turn: warnings, and errors that stop it.

    Parameters
    ----------
    config
        The run's config.
    tokenizer
        The files of its tokenizer.
    """
    light: Any = tokenizer.with_special_tokens(config.special_tokens.model_dump(exclude_none=True))
    # By their words: one template may serve several datasets.
    told: dict[str, Problem] = {}
    for key in ("datasets", "test_datasets"):
        for index, dataset in enumerate(getattr(config, key)):
            if dataset.type != "chat_template":
                continue
            at = "eot_tokens" if config.eot_tokens is not None else f"{key}[{index}].type"
            try:
                ends = resolve_turn_ends(config, dataset, light, resolve_template(config, light, dataset))
            except DataError as error:
                message = error.message.removesuffix(".")
                told.setdefault(message, config.problem(at, message, error.fix))
                continue
            for warning in ends.warnings:
                message, _, fix = warning.removesuffix(".").partition("; ")
                told.setdefault(message, config.problem(at, message, fix, severity="warning"))
    return list(told.values())
