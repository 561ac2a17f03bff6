"""What a config does to the vocabulary and the embeddings, told by files before anything is loaded. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from ft_core.config import Problem
from ft_core.models.added_tokens import TokenChanges, known_tokens
from ft_core.models.outline import Outline
from ft_core.models.token_rows import (
    frozen_rows,
    grown,
    new_rows,
    refused_rows,
    rows_of,
    token_rows,
    trained_rows,
)
from ft_core.train.light_tokenizer import LightTokenizer

if TYPE_CHECKING:
    from ft_core.config import Config

_NAMED = 4  # tokens that a line names


@dataclass(frozen=True)
class TokenPlan:
    """What becomes of the vocabulary and the embeddings.

    Attributes
    ----------
    tokenizer
        The tokenizer with its new tokens; None where its files are not here.
    outline
        The model with an embedding for every token; None where the model is not known.
    trained
        Parameters of the rows that train beside an adapter.
    words, training
        What changes, empty where nothing does, and how it is trained.
    problems
        What of it cannot be done, and what may not be meant.
    """

    tokenizer: LightTokenizer | None
    outline: Outline | None
    trained: int = 0
    words: str = ""
    training: str = ""
    problems: tuple[Problem, ...] = ()


def plan_tokens(config: Config, outline: Outline | None, tokenizer: LightTokenizer | None) -> TokenPlan:
    """Return what becomes of the vocabulary and the embeddings, as a run will find it.

    Parameters
    ----------
    config
        The run's config.
    outline
        The model as it is on disk, where it is known.
    tokenizer
        The files of its tokenizer, where they are here.
    """
    plan = TokenPlan(tokenizer, outline)
    if tokenizer is None:
        return plan
    if refused := tokenizer.refused_overrides(config):
        problems = (config.problem("added_tokens_overrides", *words) for words in refused)
        return replace(plan, problems=tuple(problems))
    changed, changes = tokenizer.with_tokens(config)
    there = known_tokens(config, tokenizer.vocabulary)
    warnings = (config.problem(*words, "remove it", severity="warning") for words in there)
    plan = replace(plan, tokenizer=changed, words=_words(changes), problems=tuple(warnings))
    return plan if outline is None else _with_rows(config, outline, changes, plan)


def _with_rows(config: Config, outline: Outline, changes: TokenChanges, plan: TokenPlan) -> TokenPlan:
    """Return `plan` with what the changes mean for the embeddings of a model."""
    if outline.embedding not in outline.modules:
        return plan
    before = rows_of(outline.modules[outline.embedding])
    after, new = new_rows(config, changes, before)
    fitted = outline
    if after > before:
        fitted = grown(outline, after)
        words = (plan.words, f"embeddings resized from {before:,} to {after:,}")
        plan = replace(plan, outline=fitted, words=", ".join(filter(None, words)))
    if config.unfrozen_parameters:
        return _partly_frozen(config, fitted, new, plan)
    if not config.adapter:
        return replace(plan, training="trained with all weights" if plan.words else "")
    rows = token_rows(config, fitted, new)
    # The files alone prove nothing: some architectures are renamed while they are loaded.
    severity: Literal["error", "warning"] = "error" if outline.exact else "warning"
    refused = [config.problem(*words, severity=severity) for words in refused_rows(config, fitted, rows)]
    plan = replace(plan, problems=(*plan.problems, *refused))
    if refused or not (rows or plan.words):
        return plan
    whole = [f"with {', '.join(config.lora_modules_to_save)}"] if config.lora_modules_to_save and new else []
    alone = [
        f"{len(ids)} row{'s' * (len(ids) != 1)} of {path.rsplit('.', 1)[-1]} beside the adapter"
        for path, ids in rows.items()
    ]
    return replace(
        plan,
        trained=trained_rows(fitted, rows),
        words=plan.words or "no new ones",
        training=f"trained: {', '.join((*alone, *whole))}",
    )


def _partly_frozen(config: Config, outline: Outline, new: tuple[int, ...], plan: TokenPlan) -> TokenPlan:
    """Return `plan` with the new rows that ``unfrozen_parameters`` leaves as they were drawn."""
    key = "unfrozen_parameters"
    for name, ids in frozen_rows(config.unfrozen_parameters or (), outline, new).items():
        message = f"'{key}' leaves the rows of new tokens in '{name}' as they were drawn at random"
        fix = f"add '{name}[{ids[0]}:{ids[-1] + 1}]' to it"
        severity: Literal["error", "warning"] = "error" if outline.exact else "warning"
        problem = config.problem(key, message, fix, severity=severity)
        plan = replace(plan, problems=(*plan.problems, problem))
    return replace(plan, training="trained with what is not frozen" if plan.words else "")


def _words(changes: TokenChanges) -> str:
    """Return how many tokens are new, how many have new texts, and the first of them."""
    kinds = (("new", changes.added), ("overridden", changes.replaced))
    return ", ".join(
        f"{len(texts)} {kind} token{'s' * (len(texts) != 1)} ({' '.join(_first(texts))})"
        for kind, texts in kinds
        if texts
    )


def _first(texts: Iterable[str]) -> list[str]:
    every = list(texts)
    return every if len(every) <= _NAMED else [*every[:_NAMED], "..."]
