"""How a prompt is written around an instruction: a table of styles, and of the sentences that stand before.

The texts are those that the public datasets of these types were made with; that of ``instruct`` is Stanford Alpaca's
(https://github.com/tatsu-lab/stanford_alpaca).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Style:
    """Texts in which ``{instruction}``, ``{input}`` and ``{system}`` stand for what a row holds.

    Attributes
    ----------
    with_input, without_input
        What is written of the instruction, where there is an input and where there is none.
    system
        What is written before it, where there is a system prompt.
    """

    with_input: str
    without_input: str
    system: str = "{system}"


@dataclass(frozen=True)
class Systems:
    """Fixed system prompts, for rows with an input and for rows without."""

    with_input: str
    without_input: str


STYLES = {
    "instruct": Style(
        "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n",
        "### Instruction:\n{instruction}\n\n### Response:\n",
        "{system}\n\n",
    ),
    "chat": Style(
        "USER: {instruction}\n{input}\nASSISTANT:",
        "USER: {instruction}\nASSISTANT:",
        "SYSTEM: {system}\n",
    ),
    "chatml": Style(
        "<|im_start|>user\n{instruction}\n{input}<|im_end|>\n<|im_start|>assistant\n",
        "<|im_start|>user\n{instruction}<|im_end|>\n<|im_start|>assistant\n",
        "<|im_start|>system\n{system}<|im_end|>\n",
    ),
    "phi": Style(
        "<|user|>\n{instruction}<|end|>{input}<|assistant|>",
        "<|user|>\n{instruction}<|end|>\n<|assistant|>\n",
        "<|system|>\n{system}<|end|>\n",
    ),
    "open_orca": Style(
        "### Human:\n{instruction}\n### Additional Context:\n{input}\n### Assistant:\n",
        "### Human:\n{instruction}\n### Assistant:\n",
        "### System:\n{system}\n",
    ),
    # Its system part is there even where the system prompt is empty.
    "orcamini": Style(
        "",
        "### System:\n{system}\n\n### User:\n{instruction}\n\n### Response:\n",
        "",
    ),
    "concise": Style("USER: {instruction}\n{input}\nASSISTANT:", "USER: {instruction}\nASSISTANT:"),
    "creative": Style("", "USER: {instruction}\nASSISTANT:", "{system}\n"),
    "plain": Style("{instruction}\n{input}", "{instruction}"),
}
"""By name; the first four may follow the name of a type, as in ``alpaca:chat``."""

_TASK = "Below is an instruction that describes a task"
_CONTEXT = "paired with an input that provides further context"
_COMPLETE = "Write a response that appropriately completes the request."
_USER = "Below is an instruction from a USER that describes a task"

ALPACA = Systems(f"{_TASK}, {_CONTEXT}. {_COMPLETE}", f"{_TASK}. {_COMPLETE}")

CONCISE = Systems(
    f"{_USER}, {_CONTEXT}. The ASSISTANT writes a response that concisely and appropriately completes the request.\n\n",
    f"{_USER}. The ASSISTANT writes a response that appropriately and concisely completes the request.\n\n",
)


def always(text: str) -> Systems:
    """Return the same system prompt for rows with and without an input."""
    return Systems(text, text)


def write_prompt(style: Style, instruction: str, given: str, system: str) -> str:
    r"""Return the prompt of a row.

    Parameters
    ----------
    style
        How it is written.
    instruction
        What is asked.
    given
        The input that belongs to it; empty where there is none.
    system
        The system prompt; empty where there is none.

    Examples
    --------
    >>> write_prompt(STYLES["chat"], "Add.", "2 and 2", "Be brief.")
    'SYSTEM: Be brief.\nUSER: Add.\n2 and 2\nASSISTANT:'
    """
    head = style.system.format(system=system) if system else ""
    turn = style.with_input if given else style.without_input
    return head + turn.format(instruction=instruction, input=given, system=system)
