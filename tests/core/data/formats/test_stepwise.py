"""``type: stepwise_supervised``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ft_core.config import Config
from ft_core.data import Sample, load_samples
from ft_core.errors import DataError
from tests.core.data.formats.conftest import OTHERS

MakeSamples = Callable[..., list[Sample]]
ROW = {"prompt": "2+2?", "completions": ["Two and two.", "Five."], "labels": [True, False]}


def test_the_last_token_of_each_step_has_its_label(samples: MakeSamples, tokenizer: Any) -> None:
    [sample] = samples("stepwise_supervised", ROW)

    def ids(text: str) -> list[int]:
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    line = ids("\n")
    prompt, first, second = [tokenizer.bos_token_id, *ids("2+2?")], ids("Two and two."), ids("Five.")
    assert sample.input_ids.tolist() == [*prompt, *first, *line, *second, *line]
    assert sample.labels.tolist() == [-100] * len(prompt + first) + [1] + [-100] * len(second) + [0]
    assert [(span.text, span.role, span.turn, span.trained, span.rule) for span in sample.spans] == [
        ("<|im_start|>", "prompt", None, False, "masked: start of text before the prompt"),
        ("2+2?", "prompt", None, False, "masked: prompt"),
        ("Two and two.", "step", 0, False, "masked: text of step 1"),
        ("\n", "step", 0, True, "trained: end of step 1, which is right (label 1)"),
        ("Five.", "step", 1, False, "masked: text of step 2"),
        ("\n", "step", 1, True, "trained: end of step 2, which is wrong (label 0)"),
    ]


def test_a_separator_of_several_tokens_has_the_label_on_its_last(
    samples: MakeSamples, tokenizer: Any
) -> None:
    [sample] = samples({"type": "stepwise_supervised", "step_separator": " <step>"}, ROW)

    count = len(tokenizer(" <step>", add_special_tokens=False)["input_ids"])
    assert count > 1
    assert [label for label in sample.labels.tolist() if label != -100] == [1, 0]
    assert sample.labels[-1] == 0
    assert sample.labels[-count:-1].tolist() == [-100] * (count - 1)


def test_a_character_of_several_tokens_has_the_label_on_its_last(samples: MakeSamples) -> None:
    dataset = {"type": "stepwise_supervised", "step_separator": "🦎"}
    [sample] = samples(
        dataset, {"prompt": "a", "completions": ["b"], "labels": [True]}, other=OTHERS["bytes"]
    )

    assert sample.labels.tolist() == [-100] * 6 + [1]


def test_the_last_step_alone(samples: MakeSamples) -> None:
    [sample] = samples({"type": "stepwise_supervised", "train_on_last_step_only": True}, ROW)

    assert [label for label in sample.labels.tolist() if label != -100] == [0]
    assert "masked: end of step 1 (train_on_last_step_only is true)" in [span.rule for span in sample.spans]


def test_a_prompt_that_brings_its_bos_gets_no_second_one(samples: MakeSamples, tokenizer: Any) -> None:
    [sample] = samples("stepwise_supervised", {**ROW, "prompt": "<|im_start|>2+2?"})

    assert sample.input_ids.tolist().count(tokenizer.bos_token_id) == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"completions": None}, "'completions' must be a list of steps, not null."),
        ({"labels": [True]}, "'labels' has 1 entries and 'completions' 2; there must be one for each step."),
        ({"completions": ["a", 2]}, "Step 2 of 'completions' must be text, not a number."),
        ({"labels": [True, "no"]}, "Label 2 of 'labels' must be true or false, not text."),
        ({"labels": [True, 2]}, "Label 2 of 'labels' must be true or false, not a number."),
    ],
)
def test_what_makes_no_sense_is_named(
    wrong: dict[str, Any], message: str, fault: Callable[..., tuple[str, str]]
) -> None:
    assert fault("stepwise_supervised", ROW, {**ROW, **wrong})[0] == f"some/rows, row 2: {message}"


def test_it_is_not_trained_as_a_language(make_config: Callable[..., Config], tokenizer: Any) -> None:
    with pytest.raises(DataError) as caught:
        load_samples(make_config({"type": "stepwise_supervised"}), tokenizer)

    assert caught.value.message == (
        "some/rows: type: stepwise_supervised cannot be trained yet; its rows can be inspected."
    )
