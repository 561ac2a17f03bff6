"""Checks of chat templates and of the tokens that end a turn."""

from __future__ import annotations

from ft_core.config.checks.asked import Asked, datasets_of
from ft_core.config.config import Config
from ft_core.config.document import Path
from ft_core.config.draft import Draft
from ft_core.config.schema.dataset import Dataset

WITHOUT_TURNS = ("alpaca", "completion", "pretrain", "input_output")
"""Types whose samples end by their own rules."""


def check_templates(asked: Asked) -> None:
    """Report a template without its text, at the top and in each dataset, and ends of turns that no dataset has."""
    _check_template(asked.config, asked.draft, ())
    for path, dataset in datasets_of(asked.config, asked.draft):
        _check_template(dataset, asked.draft, path)
    _check_eot_tokens(asked)


def _check_template(keys: Config | Dataset, draft: Draft, path: Path) -> None:
    at = (*path, "chat_template")
    if at in draft.bad or (*path, "chat_template_jinja") in draft.bad:
        return
    if keys.chat_template == "jinja" and keys.chat_template_jinja is None:
        draft.report(
            at,
            "'chat_template: jinja' needs the template in 'chat_template_jinja'",
            "add 'chat_template_jinja: template.jinja', or use 'chat_template: tokenizer_default'",
        )
    given = draft.document.values.get(at) is not None or draft.override_of(at) is not None
    if given and keys.chat_template_jinja is not None and keys.chat_template not in ("jinja", None):
        message = f"'chat_template: {keys.chat_template}' has no effect: 'chat_template_jinja' is used"
        draft.warn(at, message, "write 'chat_template: jinja', or remove 'chat_template_jinja'")


def _check_eot_tokens(asked: Asked) -> None:
    draft = asked.draft
    if not draft.given("eot_tokens") or any(bad[0] in ("datasets", "test_datasets") for bad in draft.bad):
        return
    entries = asked.config.all_datasets
    if entries and all(dataset.type in WITHOUT_TURNS for dataset in entries):
        message = "'eot_tokens' has no effect on training: no dataset has 'type: chat_template'"
        draft.warn(("eot_tokens",), message, "remove the line")
