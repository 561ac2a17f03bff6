"""What the model writes at each evaluation, and that training does not notice."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from ft_core.config import Config
from ft_core.runs import Run
from ft_core.train.generations import Prompt, cut

MakeConfig = Callable[..., Config]
Train = Callable[..., Run]
Events = Callable[[Run, str], list[dict[str, Any]]]

EVALUATED = {"val_set_size": 4, "eval_steps": 1, "max_steps": 3, "lora_dropout": 0.2}
SAMPLED = {"generate_samples": True, "num_generation_samples": 2, "generation_max_new_tokens": 5}


def test_training_is_the_same_to_the_last_bit(make_config: MakeConfig, train: Train, events: Events) -> None:
    plain = train(make_config(**EVALUATED))
    sampled = train(make_config(**EVALUATED, **SAMPLED))
    for kind in ("step", "eval"):
        assert [event["loss"] for event in events(plain, kind)] == [
            event["loss"] for event in events(sampled, kind)
        ]
    weights = [(run.final / "adapter_model.safetensors").read_bytes() for run in (plain, sampled)]
    assert weights[0] == weights[1]
    assert events(plain, "sample") == []
    assert [event["step"] for event in events(sampled, "sample")] == [1, 1, 2, 2, 3, 3]


def test_a_sample_has_what_was_asked_written_and_meant(
    make_config: MakeConfig, train: Train, events: Events
) -> None:
    keys = {**SAMPLED, "generation_do_sample": False, "generation_prompt_ratio": 0.5}
    run = train(make_config(**EVALUATED, **keys))
    first, second, *_ = events(run, "sample")
    # The whole of a row is trained on, so the half of it is the prompt.
    assert first.keys() == {"type", "time", "step", "prompt", "text", "reference"}
    assert first["prompt"]
    assert first["reference"]
    assert first["prompt"] != second["prompt"]


def test_the_likeliest_tokens_are_those_of_the_model(
    make_config: MakeConfig, train: Train, events: Events
) -> None:
    """Generated again, token by token, from the saved adapter."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    keys = {**SAMPLED, "generation_do_sample": False, "num_generation_samples": 1}
    config = make_config(**{**EVALUATED, "eval_steps": 3}, **keys)
    run = train(config)
    (sample,) = events(run, "sample")
    tokenizer = AutoTokenizer.from_pretrained(run.final)
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(config.base_model), run.final)
    ids = tokenizer(sample["prompt"], add_special_tokens=False, return_tensors="pt").input_ids
    length = ids.shape[1]
    with torch.no_grad():
        for _ in range(5):
            ids = torch.cat([ids, model(input_ids=ids).logits[:, -1:].argmax(-1)], dim=1)
    assert sample["text"] == tokenizer.decode(ids[0, length:])


def test_drawn_tokens_depend_on_the_seed_alone(make_config: MakeConfig, train: Train, events: Events) -> None:
    keys = {**SAMPLED, "max_steps": 1, "val_set_size": 4, "generation_temperature": 1.5}
    texts = [
        [event["text"] for event in events(train(make_config(**keys, seed=seed)), "sample")]
        for seed in (1, 1, 2)
    ]
    assert texts[0] == texts[1]
    assert texts[0] != texts[2]


@pytest.mark.parametrize(
    ("labels", "ratio", "prompt", "reference"),
    [
        ([-100, -100, 7, 8, -100, 9], None, [1, 2], [3, 4]),
        ([-100, 7, 8, 9, 10, 11], None, [1], [2, 3, 4, 5, 6]),
        ([7, 8, 9, 10, 11, 12], None, [1, 2, 3], [4, 5, 6]),
        ([-100] * 6, None, [1, 2, 3], [4, 5, 6]),
        ([-100, -100, 7, 8, -100, 9], 0.9, [1, 2, 3, 4, 5], [6]),
        ([7, 8, 9, 10, 11, 12], 0.0, [1], [2, 3, 4, 5, 6]),
    ],
)
def test_where_a_sample_is_cut(
    labels: list[int], ratio: float | None, prompt: list[int], reference: list[int]
) -> None:
    assert cut([1, 2, 3, 4, 5, 6], labels, ratio) == Prompt(prompt, reference)


def test_perplexity_is_told_where_it_is_asked_for(
    make_config: MakeConfig, train: Train, events: Events
) -> None:
    run = train(make_config(**EVALUATED, do_causal_lm_eval=True))
    for event in events(run, "eval"):
        assert event["perplexity"] == math.exp(event["loss"])
    assert "perplexity" not in events(train(make_config(**EVALUATED)), "eval")[0]
