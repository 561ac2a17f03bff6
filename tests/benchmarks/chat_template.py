"""Seconds to render a conversation, find its messages and label its ids, by their number.

Beside it the way of rendering the conversation once for each turn, as trainers do that take a turn's tokens for what its
rendering adds: its cost grows with the square of the turns. Run with::

    python tests/benchmarks/chat_template.py
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from transformers import AutoTokenizer

from ft_core.config import load_config
from ft_core.data import tokenize_rows
from ft_core.models.demo import demo_model

WORDS = "the sky is blue because shorter waves scatter more than longer ones in the air above us"
CALL = {"type": "function", "function": {"name": "look", "arguments": {"at": "the sky"}}}

# Conversation, turns, repetitions of WORDS in each message, and the seconds that it may take.
CASES = [
    ("plain", 20, 1, None),
    ("plain", 200, 1, 0.2),
    ("thinking", 200, 1, 0.2),
    ("tools", 200, 1, 0.2),
    ("plain", 200, 20, 2.0),
]


def conversation(kind: str, turns: int, length: int) -> list[dict[str, Any]]:
    """Return a conversation of `turns` messages."""
    messages: list[dict[str, Any]] = []
    for at in range(turns):
        message: dict[str, Any] = {
            "role": "assistant" if at % 2 else "user", "content": " ".join([f"{at}:", *[WORDS] * length]),
        }  # fmt: skip
        if kind == "thinking" and at % 2:
            message["content"] = f"<think>\n{WORDS}\n</think>\n\n{message['content']}"
        if kind == "tools" and at % 4 == 1:
            message["tool_calls"] = [CALL]
        if kind == "tools" and at % 4 == 2:
            message["role"] = "tool"
        messages.append(message)
    return messages


def seconds(work: Callable[[], object]) -> float:
    """Return the best of three runs."""
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def main() -> None:
    """Print a line for each case, and fail where one takes too long."""
    tokenizer: Any = AutoTokenizer.from_pretrained(demo_model())
    config = load_config(
        {
            "base_model": "some/model", "learning_rate": 1e-4, "sequence_len": 100_000, "chat_template": "qwen3",
            "datasets": [{"path": "some/rows", "type": "chat_template"}],
        }
    )  # fmt: skip
    from ft_core.data.template import builtin_template

    template = builtin_template("qwen3")
    print(f"{'conversation':<14}{'turns':>6}{'tokens':>8}{'ours s':>9}{'each turn s':>13}")
    for kind, turns, length, limit in CASES:
        messages = conversation(kind, turns, length)

        def ours(messages: Any = messages) -> Any:
            return tokenize_rows(config, [{"messages": messages}], tokenizer)

        def each_turn(messages: Any = messages) -> None:
            for at in range(1, len(messages) + 1):
                tokenizer.apply_chat_template(messages[:at], chat_template=template, return_dict=True)

        [sample] = ours()
        assert (
            sum(span.role == "assistant" and "end of turn" in span.rule for span in sample.spans)
            == turns // 2
        )
        took, beside = seconds(ours), seconds(each_turn)
        print(f"{kind:<14}{turns:>6}{len(sample):>8}{took:>9.3f}{beside:>13.3f}")
        if limit is not None and took > limit:
            raise SystemExit(f"{kind}, {turns} turns: {took:.3f} s, more than {limit} s")


if __name__ == "__main__":
    main()
