"""The first loss of each method against its formula, written out on the tiny model."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from ft_core.config import Config
from ft_core.data.preference import load_preferences, method_of
from ft_core.models.tokenizer import load_tokenizer
from ft_core.runs import Run

Prefer = Callable[..., Config]
Train = Callable[..., Run]
Events = Callable[[Run, str], list[dict[str, Any]]]


def first_loss(train: Train, events: Events, config: Config) -> float:
    run = train(config)
    assert run.state == "completed"
    return events(run, "step")[0]["loss"]


def of_all_rows(config: Config, tiny_model: Path) -> list[tuple[dict[str, Any], dict[str, torch.Tensor]]]:
    """Return the rows of a config, and for each answer the log-probabilities of its tokens under the base model."""
    from transformers import AutoModelForCausalLM

    method = method_of(config)
    assert method is not None
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    rows = list(load_preferences(config, load_tokenizer(config), method).train)
    found: list[tuple[dict[str, Any], dict[str, torch.Tensor]]] = []
    for row in rows:
        answers: dict[str, torch.Tensor] = {}
        for name in ("chosen", "rejected"):
            ids = torch.tensor([row["prompt_ids"] + row[f"{name}_ids"]])
            with torch.no_grad():
                logps = model(ids).logits.log_softmax(-1)
            each = logps[0, :-1].gather(1, ids[0, 1:, None])[:, 0]
            answers[name] = each[len(row["prompt_ids"]) - 1 :]
            answers[f"{name}_whole"] = each
        found.append((row, answers))
    return found


def one_step(**keys: Any) -> dict[str, Any]:
    return {"max_steps": 1, "micro_batch_size": 9, **keys}


@pytest.mark.parametrize("adapter", ["lora", ...])
def test_dpo_begins_at_the_logarithm_of_two(
    prefer: Prefer, train: Train, events: Events, adapter: Any
) -> None:
    loss = first_loss(train, events, prefer("dpo", **one_step(adapter=adapter)))
    assert loss == pytest.approx(math.log(2), abs=1e-5)


@pytest.mark.parametrize("beta", [0.1, 0.5])
def test_ipo_begins_at_the_square_of_its_margin(
    prefer: Prefer, train: Train, events: Events, beta: float
) -> None:
    loss = first_loss(train, events, prefer("ipo", **one_step(rl_beta=beta)))
    assert loss == pytest.approx((1 / (2 * beta)) ** 2, rel=1e-4)


def test_kto_weighs_good_and_bad_answers(prefer: Prefer, train: Train, events: Events) -> None:
    keys = one_step(kto_desirable_weight=2.0, kto_undesirable_weight=0.5)
    # Four good answers and five bad ones, each with a loss of 1 - sigmoid(0).
    expected = (4 * 2.0 * 0.5 + 5 * 0.5 * 0.5) / 9
    assert first_loss(train, events, prefer("kto", **keys)) == pytest.approx(expected, abs=1e-5)


def test_orpo_adds_the_odds_ratio_to_the_loss_of_the_whole_better_text(
    prefer: Prefer, train: Train, events: Events, tiny_model: Path
) -> None:
    config = prefer("orpo", **one_step(orpo_alpha=0.3))
    rows = of_all_rows(config, tiny_model)
    whole = torch.cat([answers["chosen_whole"] for _, answers in rows])
    ratios = []
    for _, answers in rows:
        better, worse = answers["chosen"].mean(), answers["rejected"].mean()
        log_odds = (better - worse) - (torch.log1p(-better.exp()) - torch.log1p(-worse.exp()))
        ratios.append(F.logsigmoid(log_odds))
    expected = -whole.mean() - 0.3 * torch.stack(ratios).mean()
    assert first_loss(train, events, config) == pytest.approx(expected.item(), rel=1e-5)


def test_simpo_asks_for_a_margin_between_mean_log_probabilities(
    prefer: Prefer, train: Train, events: Events, tiny_model: Path
) -> None:
    config = prefer("simpo", **one_step(rl_beta=2.0, simpo_gamma=1.0, cpo_alpha=0.5))
    rows = of_all_rows(config, tiny_model)
    margins = torch.stack([answers["chosen"].mean() - answers["rejected"].mean() for _, answers in rows])
    nll = -torch.cat([answers["chosen"] for _, answers in rows]).mean()
    expected = -F.logsigmoid(2.0 * margins - 1.0).mean() + 0.5 * nll
    assert first_loss(train, events, config) == pytest.approx(expected.item(), rel=1e-5)


def test_what_a_pair_counts_and_how_far_labels_are_trusted(
    prefer: Prefer, train: Train, events: Events, tiny_model: Path
) -> None:
    config = prefer("dpo", **one_step(dpo_loss_type=["sigmoid", "sft"], dpo_loss_weights=[1.0, 0.25]))
    nll = -torch.cat([answers["chosen"] for _, answers in of_all_rows(config, tiny_model)]).mean()
    expected = math.log(2) + 0.25 * nll.item()
    assert first_loss(train, events, config) == pytest.approx(expected, rel=1e-5)


def test_precomputing_the_reference_changes_nothing(prefer: Prefer, train: Train, events: Events) -> None:
    losses = [
        [event["loss"] for event in events(train(prefer("dpo", precompute_ref_log_probs=ahead)), "step")]
        for ahead in (False, True)
    ]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    assert losses[0][2] < losses[0][0]


def test_dpo_with_and_without_an_adapter_has_its_start_as_the_reference(
    prefer: Prefer, train: Train, events: Events
) -> None:
    for adapter in ("lora", ...):
        steps = events(train(prefer("dpo", adapter=adapter, max_steps=2, learning_rate=1e-3)), "step")
        # Were the reference the model itself, every margin would be 0.
        assert steps[0]["rewards/margins"] == pytest.approx(0, abs=1e-4)
        assert steps[1]["rewards/margins"] > 0.001


def test_one_batch_of_eight_is_two_of_four(
    prefer: Prefer, train: Train, events: Events, tmp_path: Path
) -> None:
    rows = (tmp_path / "pairs.jsonl").read_text().splitlines()[:8]
    (tmp_path / "eight.jsonl").write_text("\n".join(rows) + "\n")
    datasets = [{"path": str(tmp_path / "eight.jsonl"), "type": "chatml.intel"}]
    curves = []
    for micro, accumulation in ((8, 1), (3, 3)):
        config = prefer(
            "dpo",
            datasets=datasets,
            micro_batch_size=micro,
            gradient_accumulation_steps=accumulation,
            max_steps=2,
        )
        steps = events(train(config), "step")
        curves.append([(step["loss"], step["grad_norm"]) for step in steps])
    for curve in curves[1:]:
        for one, other in zip(curves[0], curve, strict=True):
            assert one == pytest.approx(other, rel=1e-4)


def test_a_step_counts_the_tokens_of_its_rows(prefer: Prefer, train: Train, events: Events) -> None:
    for method in ("dpo", "kto", "simpo"):
        run = train(prefer(method, max_steps=..., num_epochs=1))
        (data,) = events(run, "data")
        assert sum(step["tokens"] for step in events(run, "step")) == data["train_tokens"]
