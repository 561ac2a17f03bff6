"""Rows of any preference type to text rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from ft_core.config.problems import did_you_mean
from ft_core.config.schema.dataset_type import PromptFormat
from ft_core.data.preference.chat_template import (
    prepare_argilla,
    prepare_conversation,
    prepare_messages,
    prepare_reward,
)
from ft_core.data.preference.columns import read_text
from ft_core.data.preference.nectar import prepare_nectar
from ft_core.data.preference.styles import (
    QUESTION_COLUMNS,
    STYLES,
    prepare_question,
)
from ft_core.data.preference.styles import prepare_conversation as prepare_styled_conversation
from ft_core.data.preference.task import Example, Method, Row, Task, Transform
from ft_core.data.preference.user_defined import prepare_user_defined
from ft_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config, Dataset

Prepare = Callable[[Task], Transform]


def preference_rows(
    config: Config,
    rows: Iterable[Mapping[str, Any]],
    tokenizer: PreTrainedTokenizerBase,
    *,
    method: Method,
    dataset: Dataset | None = None,
    first_row: int = 0,
) -> list[Example]:
    """Return the text rows that TRL trains on, one for each of `rows`, in order.

    Parameters
    ----------
    config
        Where the chat template comes from, if the dataset has none.
    rows
        As a table: a column that some rows lack is null there.
    tokenizer
        As `ft_core.models.load_tokenizer` returns it; its template is used where none is named.
    method
        ``dpo``, ``ipo``, ``simpo``, ``orpo``, ``kto``, or ``reward`` for a reward model.
    dataset
        Which entry of ``config.datasets`` the rows are of. Default: the first. Its type is a name, a map that spells
        out columns and formats, or None for rows that are finished.
    first_row
        The number of the first row in its source.

    Returns
    -------
    list
        ``{"prompt", "chosen", "rejected"}``, and for kto ``{"prompt", "completion", "label"}``. Rows of ``type:
        passthrough`` are as they came.

    Raises
    ------
    DataError
        There is no such type, or a row does not fit it; the message names the row.
    """
    entry = dataset or config.datasets[0]
    transform = _resolve(Task(config, entry, tokenizer, method))
    return [
        _finish(transform, row, f"{entry.path}, row {number}")
        for number, row in enumerate(rows, first_row + 1)
    ]


def _finish(transform: Transform, row: Row, where: str) -> Example:
    """Return the finished row, or raise with the row's number (from 1, as people count)."""
    try:
        return transform(row)
    except DataError as error:
        raise DataError(f"{where}: {error.message}", error.fix) from error


def _prepare_finished(task: Task) -> Transform:
    """Return how rows are read that hold prompt and answers as text already."""

    def transform(row: Row) -> Example:
        texts = [read_text(row, *task.columns(response)) for response in task.responses]
        return task.example(row, read_text(row, "prompt"), texts)

    return transform


def _prepare_passthrough(task: Task) -> Transform:  # noqa: ARG001
    """Return how rows are read that TRL shall see as they are."""
    return dict


def _styled(prefix: str = "") -> dict[str, Prepare]:
    """Return the types of every style, such as ``chatml.intel``."""
    types: dict[str, Prepare] = {}
    for name, style in STYLES.items():
        for variant, columns in QUESTION_COLUMNS.items():
            types[f"{prefix}{name}.{variant}".rstrip(".")] = partial(
                prepare_question, style=style, columns=columns
            )
        types[f"{prefix}{name}.argilla_chat"] = partial(prepare_styled_conversation, style=style)
    return types


_KTO_TYPES: dict[str, Prepare] = {
    **_styled(),
    "chat_template": prepare_messages,
    "chat_template.default": prepare_messages,
    "chat_template.argilla_chat": prepare_conversation,
    "passthrough": _prepare_passthrough,
}
_PAIR_TYPES = {**_KTO_TYPES, "chat_template.argilla": prepare_argilla, "zephyr.nectar": prepare_nectar}
_REWARD_TYPES: dict[str, Prepare] = {
    **_styled("bradley_terry."),
    "bradley_terry.chat_template": prepare_reward,
    "passthrough": _prepare_passthrough,
}


def _resolve(task: Task) -> Transform:
    """Return how rows of the task's dataset are read."""
    # The schema takes the names of supervised types alone, as long as nothing trains on preferences.
    kind = cast("str | PromptFormat | Mapping[str, Any] | None", task.dataset.type)
    if not kind:
        return _prepare_finished(task)
    if not isinstance(kind, str):
        return prepare_user_defined(task, kind)
    types = {"kto": _KTO_TYPES, "reward": _REWARD_TYPES}.get(task.method, _PAIR_TYPES)
    if kind not in types:
        what = "reward_model: true" if task.method == "reward" else f"rl: {task.method}"
        guess = did_you_mean(kind, types)
        raise DataError(
            f"{task.dataset.path}: there is no dataset type '{kind}' for {what}{guess or '.'}",
            f"Use one of: {', '.join(types)}; or spell it out as a map with field_prompt and the others.",
        )
    return types[kind](task)
