"""Runs that learn from preferences: what they tell, that they learn, stop, go on and save."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ft_core.config import Config
from ft_core.errors import RunError
from ft_core.infer.source import find_source
from ft_core.runs import Run, RunWriter, create_run

Prefer = Callable[..., Config]
Train = Callable[..., Run]
Events = Callable[[Run, str], list[dict[str, Any]]]

FIGURES = ("rewards/chosen", "rewards/rejected", "rewards/accuracies", "rewards/margins")


@pytest.mark.parametrize(
    ("method", "figures"),
    [
        ("dpo", FIGURES),
        ("ipo", FIGURES),
        ("orpo", FIGURES),
        ("simpo", FIGURES),
        ("kto", ("rewards/chosen", "rewards/rejected", "rewards/margins")),
        ("reward", ("rewards/accuracies", "rewards/margins")),
    ],
)
def test_a_run_tells_how_far_answers_are_told_apart(
    prefer: Prefer, train: Train, events: Events, method: str, figures: tuple[str, ...]
) -> None:
    run = train(prefer(method, micro_batch_size=6, val_set_size=3, eval_strategy="steps", eval_steps=2))
    assert run.state == "completed"
    steps = events(run, "step")
    assert [name for name in FIGURES if name in steps[0]] == list(figures)
    assert [event["step"] for event in events(run, "eval")] == [2, 3]
    assert {"loss", *figures} - {"rewards/margins"} <= set(events(run, "eval")[-1])
    frame = run.metrics
    assert list(frame.columns[7:]) == list(figures)
    assert frame["rewards/margins"].iloc[-1] == steps[-1]["rewards/margins"]
    assert sorted(path.name for path in (run.directory / "checkpoints").glob("*")) == []


@pytest.mark.parametrize("method", ["dpo", "simpo", "reward"])
def test_it_learns_to_tell_them_apart(prefer: Prefer, train: Train, events: Events, method: str) -> None:
    keys = {"rl_beta": 2.0} if method == "simpo" else {}
    run = train(prefer(method, max_steps=8, micro_batch_size=9, **keys))
    steps = events(run, "step")
    assert steps[-1]["rewards/accuracies"] == 1.0
    assert steps[-1]["rewards/margins"] > steps[0]["rewards/margins"] + 0.1
    assert steps[-1]["loss"] < steps[0]["loss"]


def test_the_adapter_alone_is_saved(prefer: Prefer, train: Train) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    config = prefer("dpo", save_strategy="steps", save_steps=2)
    run = train(config)
    checkpoint = run.directory / "checkpoints" / "checkpoint-2"
    for folder in (run.final, checkpoint):
        assert (folder / "adapter_model.safetensors").is_file()
        assert not (folder / "ref").exists()
    tuned = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(config.base_model), run.final)
    assert list(tuned.peft_config) == ["default"]
    assert any(weight.abs().sum() > 0 for name, weight in tuned.named_parameters() if "lora_B" in name)


def test_a_reward_model_scores_by_one_number(prefer: Prefer, train: Train) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    run = train(prefer("reward", adapter=..., max_steps=8, micro_batch_size=9, learning_rate=3e-3))
    model = AutoModelForSequenceClassification.from_pretrained(run.final)
    tokenizer = AutoTokenizer.from_pretrained(run.final)
    head = "<|im_start|>user\nSay fox.<|im_end|>\n<|im_start|>assistant\n"
    scores = []
    for answer in ("fox yes please<|im_end|>", "no fox<|im_end|>"):
        with torch.no_grad():
            scores.append(model(**tokenizer(head + answer, return_tensors="pt")).logits.item())
    assert scores[0] > scores[1] + 0.5


@pytest.mark.parametrize(("method", "adapter"), [("dpo", ...), ("kto", "lora")])
def test_going_on_is_as_if_it_had_never_stopped(
    prefer: Prefer, train: Train, events: Events, method: str, adapter: Any
) -> None:
    keys = {"max_steps": 7, "adapter": adapter, "learning_rate": 1e-3}
    whole = train(prefer(method, save_strategy="steps", save_steps=5, **keys))
    checkpoint = whole.directory / "checkpoints" / "checkpoint-5"
    rest = train(prefer(method, resume_from_checkpoint=str(checkpoint), **keys))
    told = [
        [(step["step"], step["loss"], step["grad_norm"]) for step in events(run, "step")]
        for run in (whole, rest)
    ]
    assert [step for step, _, _ in told[1]] == [6, 7]
    for one, other in zip(told[0][-2:], told[1], strict=True):
        assert one == pytest.approx(other, rel=1e-5)


def test_stop_finishes_the_step_and_saves(
    prefer: Prefer, train: Train, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    emit = RunWriter.emit

    def emit_and_stop(self: RunWriter, type: str, **fields: Any) -> None:
        emit(self, type, **fields)
        if type == "step" and fields["step"] == 2:
            Run(self.directory).stop()

    monkeypatch.setattr(RunWriter, "emit", emit_and_stop)
    run = train(prefer("dpo", max_steps=20))
    assert run.state == "stopped"
    assert len(events(run, "step")) == 3
    assert [event["step"] for event in events(run, "checkpoint")] == [3]
    assert (run.final / "adapter_model.safetensors").is_file()


def test_two_ranks_take_the_steps_of_one(
    prefer: Prefer, train: Train, events: Events, on_two_ranks: Callable[..., Any]
) -> None:
    keys = {"val_set_size": 1, "eval_strategy": "steps", "eval_steps": 2, "max_steps": 2}
    alone = train(prefer("dpo", micro_batch_size=4, **keys))
    config = prefer("dpo", micro_batch_size=2, **keys)
    shared = create_run(None, config_text="", resolved_text=config.to_yaml(absolute_paths=True), plan={})
    finished = on_two_ranks("two_ranks.py", shared)
    assert finished.returncode == 0, finished.stderr
    for kind, names in (("step", ("loss", "grad_norm", "tokens", "rewards/margins")), ("eval", ("loss",))):
        told = [[[event[name] for name in names] for event in events(run, kind)] for run in (alone, shared)]
        assert len(told[0]) == len(told[1])
        for one, other in zip(*told, strict=True):
            assert one == pytest.approx(other, rel=1e-4, abs=1e-6)


def test_a_reward_model_is_nobody_to_talk_to(prefer: Prefer, train: Train) -> None:
    run = train(prefer("reward", max_steps=1))
    with pytest.raises(RunError) as caught:
        find_source(run)
    assert (
        caught.value.message
        == f"Run '{run.name}' trained a reward model, which scores texts and writes none."
    )


def test_no_row_fits(prefer: Prefer, train: Train) -> None:
    run = train(prefer("dpo", sequence_len=4))
    assert run.state == "failed"
    assert run.error.message == "No sample is left to train on: 9 longer than sequence_len."


def test_trl_is_an_extra(prefer: Prefer, train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "trl" else find(name, *rest)
    )
    run = train(prefer("dpo"))
    assert run.error.message == "'rl: dpo' needs the package 'trl', which is not installed."
    assert run.error.fix == "pip install 'ft-jupyter[rl]'"


def test_a_cut_answer_is_told(prefer: Prefer, train: Train, events: Events, tmp_path: Path) -> None:
    long = {"question": "Say it.", "chosen": "yes " * 100, "rejected": "no"}
    file = tmp_path / "long.jsonl"
    file.write_text((tmp_path / "pairs.jsonl").read_text() + json.dumps(long) + "\n")
    datasets = [{"path": str(file), "type": "chatml.intel"}]
    run = train(prefer("dpo", datasets=datasets, excess_length_strategy="truncate", max_steps=1))
    assert [event["message"] for event in events(run, "warning")] == [
        "1 row has an answer cut to fit in sequence_len (64); such an answer has no EOS."
    ]
