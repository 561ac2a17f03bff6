"""Types of rows with one prompt and one response: a table of how each is made of a row's columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from string import Formatter
from typing import TYPE_CHECKING, Any, cast

from ft_core.data.document import Chunk, Document, Format, Piece
from ft_core.data.formats.columns import text_of
from ft_core.data.formats.styles import ALPACA, CONCISE, STYLES, Systems, always, write_prompt
from ft_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config, Dataset


@dataclass(frozen=True)
class Recipe:
    """What of a row is the instruction, its input, the system prompt and the response.

    Columns stand in braces in these texts, such as ``what is {answer}``.

    Attributes
    ----------
    response
        What is trained on.
    response_else
        The same for rows that lack the columns of `response`.
    instruction, given
        What is asked, and the input that belongs to it.
    system
        A text with columns, or fixed texts.
    style
        The name of the style that all this is written in.
    in_one
        Whether prompt and response are tokenised in one go, so that tokens may merge across the border.
    end_count
        How many EOS end the response.
    """

    response: str = "{output}"
    response_else: str = ""
    instruction: str = "{instruction}"
    given: str = "{input}"
    system: str | Systems = ALPACA
    style: str = "instruct"
    in_one: bool = False
    end_count: int = 1

    @property
    def fields(self) -> tuple[str, ...]:
        """The columns that a dataset must have."""
        texts = [self.instruction, self.given, self.system if isinstance(self.system, str) else ""]
        texts += [] if self.response_else else [self.response]
        named = [name for text in texts for name in _columns(text) if name != "input"]
        return tuple(dict.fromkeys(named))


_ALPACA = Recipe()
_QUESTION = Recipe("{answer}", instruction="{question}", given="", style="chat", system=CONCISE)
_ORCA = Recipe("{response}", instruction="{question}", given="", system="{system_prompt}", style="open_orca")
_CHOICE = Recipe(
    "{solution}",
    "{explanation}",
    instruction="{question}",
    given="{choices}",
    system=always("Choose the answer that best answers the question. Explain your reasoning.\n"),
)
_CONTEXT = Recipe(
    "{answer}",
    instruction="{article}\n===\n{question}",
    given="",
    style="chat",
    system=always("Use the following contextual information to concisely answer the question.\n"),
)

_STYLED = {
    "alpaca": _ALPACA,
    "gpteacher": Recipe("{response}"),
    "oasst": Recipe("{RESPONSE}", instruction="{INSTRUCTION}", given=""),
    "jeopardy": Recipe("what is {answer}", instruction="{question}", given="{category}"),
    "explainchoice": _CHOICE,
}
"""Types that a style may follow."""

_ONE_STYLE = {
    "concisechoice": replace(
        _CHOICE,
        style="concise",
        system=always("Choose the answer that best answers the question. Be concise in your response.\n\n"),
    ),
    "summarizetldr": Recipe(
        "{summary}",
        instruction="Summarize the following article as a TL;DR.\n{article}",
        given="",
        system="",
        style="concise",
    ),
}
"""Types that a style may follow as well, without effect."""

RECIPES = {
    **_STYLED,
    **{f"{name}:{style}": replace(recipe, style=style)
       for name, recipe in _STYLED.items() for style in ("instruct", "chat", "chatml", "phi")},
    **_ONE_STYLE,
    **{f"{name}:{style}": recipe
       for name, recipe in _ONE_STYLE.items() for style in ("instruct", "chat", "chatml", "phi")},
    "alpaca_chat": replace(_ALPACA, style="chat"),
    "alpaca_chat.load_concise": replace(_ALPACA, style="chat", system=CONCISE),
    "alpaca_chat.load_qa": _QUESTION,
    "alpaca_chat.load_camel_ai": replace(_QUESTION, instruction="{message_1}", response="{message_2}"),
    "alpaca_chat.load_no_prompt": replace(_ALPACA, style="chat", system=""),
    "alpaca_instruct": _ALPACA,
    "alpaca_instruct.load_no_prompt": replace(_ALPACA, system=""),
    "alpaca_w_system": replace(_ALPACA, style="chat", system="{system}"),
    "alpaca_w_system.load_chat": replace(_ALPACA, style="chat", system="{system}"),
    "alpaca_w_system.load_instruct": replace(_ALPACA, system="{system}"),
    "alpaca_w_system.load_open_orca": _ORCA,
    "alpaca_w_system.load_open_orca_chatml": replace(_ORCA, style="chatml"),
    "orcamini": replace(_ORCA, style="orcamini"),
    "context_qa": _CONTEXT,
    "context_qa.load_404": replace(
        _CONTEXT,
        instruction="{article}\n===\n{unanswerable_question}",
        response="The context provided does not contain any information about your inquiry. "
        "Therefore, I'm unable to answer your question based on the given context.",
    ),
    "context_qa.load_v2": Recipe(
        "Answer: {answer}",
        instruction="Context: {context}\nQuestion: {question}\n",
        given="",
        system="",
        style="plain",
    ),
    "creative_acr.load_answer": Recipe(
        "{revision}",
        given="",
        style="creative",
        system=always(
            "Answer the following question in a comprehensive, in-depth, and creative way. Additionally your response "
            "should be relevant, accurate, and free of any ambiguity."
        ),
    ),
    "metharme": Recipe(
        "{generation}", instruction="{prompt}", given="", system="", style="plain", end_count=3
    ),
    "reflection": Recipe(
        "### Thought:\n{output}\n\n### Agent Reflection:\n{reflection}\n\n### Final Response:\n{corrected}",
        system="",
        in_one=True,
    ),
}  # fmt: skip
"""By the name of the type."""


def prepare(config: Config, dataset: Dataset, tokenizer: PreTrainedTokenizerBase) -> Format:  # noqa: ARG001
    """Return the format of the recipe that the type of `dataset` names."""
    recipe = RECIPES[cast("str", dataset.type)]

    def render(row: Mapping[str, Any]) -> Document:
        given = _fill(recipe.given, row)
        if isinstance(recipe.system, Systems):
            system = recipe.system.with_input if given else recipe.system.without_input
        else:
            system = _fill(recipe.system, row)
        prompt = write_prompt(STYLES[recipe.style], _fill(recipe.instruction, row), given, system)
        return prompt_and_response(
            prompt,
            _response(recipe, row),
            train_on_inputs=config.train_on_inputs,
            in_one=recipe.in_one,
            end_count=recipe.end_count,
        )

    return Format(fields=recipe.fields, render=render)


def prompt_and_response(
    prompt: str, response: str, *, train_on_inputs: bool, in_one: bool = False, end_count: int = 1
) -> Document:
    """Return a prompt and the response to it.

    Parameters
    ----------
    prompt, response
        Their texts.
    train_on_inputs
        Whether the prompt is trained on as well.
    in_one
        Whether they are tokenised in one go; else apart, as Axolotl does, so that no token crosses the border.
    end_count
        How many EOS end the response.
    """
    if train_on_inputs:
        asked = Piece(0, len(prompt), "prompt", None, True, "trained: prompt (train_on_inputs is true)")
    else:
        asked = Piece(0, len(prompt), "prompt", None, False, "masked: prompt (train_on_inputs is false)")
    start = len(prompt) if in_one else 0
    answered = Piece(start, start + len(response), "response", None, True, "trained: response")
    if in_one:
        both = (asked, answered)
        return Document((Chunk(prompt + response, both, begins_text=True, ends_text=True),))
    answer = Chunk(response, (answered,), ends_text=True, end_count=end_count, drops_bos=True)
    return Document((Chunk(prompt, (asked,), begins_text=True), answer))


def _response(recipe: Recipe, row: Mapping[str, Any]) -> str:
    """Return what is trained on; nothing where the row lacks a column of it."""
    texts = [text for text in (recipe.response, recipe.response_else) if text]
    for text in texts:
        if all(text_of(row, name) for name in _columns(text)):
            return _fill(text, row)
    if recipe.response_else and not any(name in row for text in texts for name in _columns(text)):
        names = " nor ".join(f"'{name}'" for text in texts for name in _columns(text))
        raise DataError(f"There is no field {names} to learn.", "Choose the type that fits these rows.")
    return ""


def _fill(text: str, row: Mapping[str, Any]) -> str:
    """Return `text` with the row's columns in it."""
    return text.format(**{name: _written(row, name) for name in _columns(text)})


def _written(row: Mapping[str, Any], name: str) -> str:
    """Return a column as text; choices as a line each."""
    value: Any = row.get(name)
    if name != "choices" or not isinstance(value, (list, tuple)):
        return text_of(row, name)
    return "\n".join(f'- "{choice}"' for choice in cast("list[Any]", value))


def _columns(text: str) -> list[str]:
    """Return the columns that stand in braces in `text`."""
    return [name for _, name, _, _ in Formatter().parse(text) if name]
