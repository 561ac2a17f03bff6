"""ReLoRA: what a restart adds, draws and forgets, and that checkpoints and the tuned model hold all of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ft_core.config import Config
from ft_core.infer.load import Models
from ft_core.infer.merge import merge
from ft_core.infer.source import find_source
from ft_core.runs import Run, create_run
from ft_core.train.evaluate import evaluate
from ft_core.train.relora import Relora, prune

MakeConfig = Callable[..., Config]
Train = Callable[..., Run]
Events = Callable[[Run, str], list[dict[str, Any]]]
OnTwoRanks = Callable[..., subprocess.CompletedProcess[str]]

RESTARTS: dict[str, Any] = {
    "relora": True,
    "jagged_restart_steps": 3,
    "jagged_restart_warmup_steps": 1,
    "max_steps": 8,
    "lora_dropout": 0.1,
    "lora_alpha": 32,
}
"""Restarts behind steps 3 and 6; twelve rows make six steps, so the second epoch begins with the second."""

SAVING: dict[str, Any] = {"save_strategy": "steps", "save_steps": 1}


def weights_of(run: Run) -> dict[str, torch.Tensor]:
    return load_file(run.final / "model.safetensors")


def assert_same_end(run: Run, other: Run) -> None:
    """Assert that two runs ended with the same weights, to the last bit."""
    weights, expected = weights_of(run), weights_of(other)
    assert weights.keys() == expected.keys()
    for name, weight in weights.items():
        assert torch.equal(weight, expected[name]), name


def losses(run: Run, events: Events) -> dict[int, float]:
    return {event["step"]: event["loss"] for event in events(run, "step")}


@pytest.fixture
def adapted(tiny_model: Path, make_config: MakeConfig) -> Callable[..., tuple[Any, Relora, Any]]:
    """Return a function that gives an adapted model, its restarts, and an optimizer that has moved the adapter."""

    def make(dtype: torch.dtype = torch.float32, **keys: Any) -> tuple[Any, Relora, Any]:
        from transformers import AutoModelForCausalLM

        from ft_core.models.adapter import apply_adapter

        config = make_config(**{**RESTARTS, **keys})
        torch.manual_seed(0)
        model = apply_adapter(AutoModelForCausalLM.from_pretrained(tiny_model, dtype=dtype), config)
        trained = [weight for weight in model.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=0.1)
        for weight in trained:
            weight.grad = torch.randn_like(weight)
        optimizer.step()
        return model, Relora(config, model, None), optimizer

    return make


def restart(relora: Relora, optimizer: Any, step: int) -> None:
    state: Any = type("State", (), {"global_step": step})
    unused: Any = None
    relora.on_step_begin(unused, state, unused, optimizer=optimizer)


def test_a_restart_changes_nothing_but_where_the_numbers_are(adapted: Callable[..., Any]) -> None:
    model, relora, optimizer = adapted()
    ids = torch.arange(10, 30)[None]
    model.eval()
    before = model(input_ids=ids).logits
    restart(relora, optimizer, 2)
    assert relora.restarts == 0
    restart(relora, optimizer, 3)
    assert relora.restarts == 1
    torch.testing.assert_close(model(input_ids=ids).logits, before, rtol=1e-5, atol=1e-5)
    with model.disable_adapter():
        torch.testing.assert_close(model(input_ids=ids).logits, before, rtol=1e-5, atol=1e-5)
    for name, weight in model.named_parameters():
        assert "lora_B" not in name or not weight.any()


def test_the_new_adapter_is_drawn_from_seed_and_step_alone(adapted: Callable[..., Any]) -> None:
    drawn = []
    for step in (3, 3, 6):
        model, relora, optimizer = adapted()
        state = torch.get_rng_state()
        restart(relora, optimizer, step)
        assert torch.equal(torch.get_rng_state(), state)
        torch.rand(1)
        drawn.append(next(weight for name, weight in model.named_parameters() if "lora_A" in name).detach())
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


@pytest.mark.parametrize("offload", [False, True])
def test_bf16_weights_round_no_merge_away(adapted: Callable[..., Any], offload: bool) -> None:
    """CORRECTNESS 18: ten merges, each too small for bf16 to see."""
    model, relora, optimizer = adapted(torch.bfloat16, relora_cpu_offload=offload)
    path = "model.layers.0.self_attn.q_proj"
    layer = model.get_base_model().get_submodule(path)
    start = layer.get_base_layer().weight.float()
    small = torch.full_like(start, 1e-4)
    for step in range(3, 33, 3):
        layer.lora_A["default"].weight.data.fill_(1e-4 / 8 / layer.scaling["default"])
        layer.lora_B["default"].weight.data.fill_(1.0)
        restart(relora, optimizer, step)
    expected = start + 10 * small
    torch.testing.assert_close(layer.get_base_layer().weight, expected.bfloat16(), rtol=2**-8, atol=1e-6)
    assert not torch.equal(layer.get_base_layer().weight.float(), start)


@pytest.mark.parametrize(
    ("keys", "kept"),
    [
        ({}, [10.0, 0, 0, 0]),
        ({"relora_prune_ratio": 0.5}, [10.0, 0, -9.0, 0]),
        ({"relora_prune_ratio": 0.0}, [10.0, 0.5, -9.0, 0.25]),
        ({"relora_prune_ratio": 1.0}, [0, 0, 0, 0]),
    ],
)
def test_the_smallest_moments_go(keys: dict[str, Any], kept: list[float], make_config: MakeConfig) -> None:
    moments = torch.tensor([[10.0, 0.5], [-9.0, 0.25]])
    if not keys:
        moments = torch.cat([moments, torch.full((3, 2), 0.1)])
        kept = [*kept, *[0] * 6]
    share = prune([moments], make_config(**RESTARTS, **keys), 3)
    assert moments.flatten().tolist() == kept
    assert share == kept.count(0) / len(kept)


@pytest.mark.parametrize(
    ("method", "ratio", "zeros"),
    [("random", None, 900), ("random", 0.25, 250), ("reset", None, 999), ("reset", 0.5, 500)],
)
def test_random_moments_go(method: str, ratio: float | None, zeros: int, make_config: MakeConfig) -> None:
    config = make_config(**RESTARTS, relora_prune_method=method, relora_prune_ratio=ratio)
    one, two, other = torch.ones(10, 100), torch.ones(10, 100), torch.ones(10, 100)
    assert prune([one], config, 3) == zeros / 1000
    prune([two], config, 3)
    prune([other], config, 6)
    assert int((one == 0).sum()) == zeros
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_only_the_moments_of_the_adapter_go(adapted: Callable[..., Any]) -> None:
    model, relora, optimizer = adapted(lora_modules_to_save=["norm"])
    restart(relora, optimizer, 3)
    zeros = {
        name: [int((optimizer.state[weight][moment] == 0).sum()) for moment in ("exp_avg", "exp_avg_sq")]
        for name, weight in model.named_parameters()
        if weight.requires_grad
    }
    sizes = {name: weight.numel() for name, weight in model.named_parameters()}
    assert zeros == {
        name: [0, 0] if "modules_to_save" in name else [round(0.9 * sizes[name])] * 2 for name in zeros
    }
    assert all(state["step"] == 1 for state in optimizer.state.values())


def test_the_whole_run(
    make_config: MakeConfig,
    train: Train,
    events: Events,
    tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    ids = torch.arange(10, 30)[None]
    said: list[torch.Tensor] = []
    whole_model = Relora.whole_model

    def ask(self: Relora) -> Any:
        with torch.no_grad():
            said.append(self._model.eval()(input_ids=ids).logits)
        return whole_model(self)

    monkeypatch.setattr(Relora, "whole_model", ask)
    run = train(make_config(**RESTARTS, **SAVING), "whole")
    assert run.state == "completed"
    told = [{key: event[key] for key in ("step", "number", "pruned")} for event in events(run, "restart")]
    assert told == [
        {"step": 3, "number": 1, "pruned": 0.9003},
        {"step": 6, "number": 2, "pruned": 0.9003},
    ]
    rates = [event["learning_rate"] for event in events(run, "step")]
    assert rates == pytest.approx([0.01, 0.01, 0.01, 1e-5, 0.01, 0.01, 1e-5, 0.01])

    # What changed, and that it is more than one adapter of rank 8 can change.
    base, weights = load_file(tiny_model / "model.safetensors"), weights_of(run)
    changed = {name for name, weight in weights.items() if not torch.equal(weight, base[name])}
    assert changed == {name for name in base if name.endswith("_proj.weight")}
    name = "model.layers.0.self_attn.q_proj.weight"
    assert torch.linalg.matrix_rank(weights[name] - base[name], rtol=1e-4) > 8

    # The tuned model, and a checkpoint, say what the model said in training.
    assert not (run.final / "adapter_config.json").exists()
    tuned = AutoModelForCausalLM.from_pretrained(run.final)
    torch.testing.assert_close(tuned(input_ids=ids).logits, said[0], rtol=1e-5, atol=1e-5)
    checkpoint = run.directory / "checkpoints" / "checkpoint-8"
    adapted = PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(checkpoint / "relora"), checkpoint
    )
    assert torch.equal(adapted(input_ids=ids).logits, said[0])

    # The same from a chat and from an evaluation of the checkpoint, and by a merge of it.
    source = find_source(checkpoint)
    assert (source.base, source.changed_base) == (str(tiny_model), str(checkpoint / "relora"))
    models = Models(source, "cpu")
    with models.using("tuned") as model, torch.no_grad():
        torch.testing.assert_close(model(input_ids=ids).logits, said[0], rtol=1e-5, atol=1e-5)
    with models.using("base") as model, torch.no_grad():
        original = AutoModelForCausalLM.from_pretrained(tiny_model)
        assert torch.equal(model(input_ids=ids).logits, original(input_ids=ids).logits)


@pytest.mark.parametrize(("keys", "starts"), [({}, (3, 7)), ({"sample_packing": True}, (7,))])
def test_a_run_goes_on_as_if_it_had_not_stopped(
    make_config: MakeConfig, train: Train, events: Events, keys: dict[str, Any], starts: tuple[int, ...]
) -> None:
    """CORRECTNESS 16: at a restart, and in the second epoch behind two."""
    keys = {**RESTARTS, **keys, "gradient_accumulation_steps": 2}
    whole = train(make_config(**keys, **SAVING), "whole")
    expected = losses(whole, events)
    for step in starts:
        checkpoint = whole.directory / "checkpoints" / f"checkpoint-{step}"
        assert (checkpoint / "relora").is_dir() == (step > 3)
        rest = train(make_config(**keys, resume_from_checkpoint=str(checkpoint)))
        assert losses(rest, events) == {number: expected[number] for number in range(step + 1, 9)}
        numbers = [event["number"] for event in events(whole, "restart") if event["step"] >= step]
        assert [event["number"] for event in events(rest, "restart")] == numbers
        assert_same_end(rest, whole)


def test_a_merge_and_an_evaluation_of_a_checkpoint_are_on_the_changed_base(
    make_config: MakeConfig, train: Train, events: Events, tmp_path: Path
) -> None:
    config = make_config(**{**RESTARTS, **SAVING, "max_steps": 4, "val_set_size": 4})
    run = train(config)
    checkpoint = run.directory / "checkpoints" / "checkpoint-4"
    (found,) = evaluate(config, checkpoint)
    assert found.loss == pytest.approx(events(run, "eval")[-1]["loss"], rel=1e-6)
    merged = merge(checkpoint, tmp_path / "merged", dtype="fp32")
    assert merged.base == str(checkpoint / "relora")
    for name, weight in load_file(tmp_path / "merged" / "model.safetensors").items():
        torch.testing.assert_close(weight, weights_of(run)[name], rtol=1e-6, atol=1e-7)


def test_what_trains_beside_the_adapter_is_kept_and_goes_on(
    make_config: MakeConfig, train: Train, events: Events, tiny_model: Path
) -> None:
    from transformers import AutoModelForCausalLM

    keys = {**RESTARTS, "max_steps": 5, "tokens": ["<new>"], "lora_modules_to_save": ["norm"]}
    whole = train(make_config(**keys, **SAVING), "whole")
    assert whole.state == "completed"
    tuned = AutoModelForCausalLM.from_pretrained(whole.final)
    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    rows = base.get_input_embeddings().weight.shape[0]
    assert tuned.get_input_embeddings().weight.shape[0] == rows + 1
    assert torch.equal(tuned.get_input_embeddings().weight[:rows], base.get_input_embeddings().weight)
    assert not torch.equal(tuned.model.norm.weight, base.model.norm.weight)
    checkpoint = whole.directory / "checkpoints" / "checkpoint-4"
    rest = train(make_config(**keys, resume_from_checkpoint=str(checkpoint)), "rest")
    expected = losses(whole, events)
    assert losses(rest, events) == {5: expected[5]}
    assert_same_end(rest, whole)


def test_two_ranks_stay_equal(
    make_config: MakeConfig, events: Events, on_two_ranks: OnTwoRanks, runs_root: Path
) -> None:
    run = create_run(
        "two", config_text="", resolved_text=make_config(**RESTARTS).to_yaml(absolute_paths=True), plan={}
    )
    done = on_two_ranks("two_ranks.py", run, "weights")
    assert done.returncode == 0, done.stderr
    assert [event["step"] for event in events(run, "restart")] == [3, 6]
    one, two = (json.loads((run.directory / f"facts-{rank}.json").read_text())["weights"] for rank in (0, 1))
    assert one == two


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"relora": False, "jagged_restart_steps": None},
            "The adapter in '{checkpoint}' is on a base that 'relora' has changed.",
        ),
        (
            {"jagged_restart_steps": 2},
            None,
        ),
    ],
)
def test_a_checkpoint_without_what_it_needs(
    make_config: MakeConfig, train: Train, keys: dict[str, Any], message: str | None
) -> None:
    whole = train(make_config(**{**RESTARTS, "max_steps": 4}, **SAVING), "whole")
    checkpoint = whole.directory / "checkpoints" / ("checkpoint-4" if message else "checkpoint-3")
    rest = train(make_config(**{**RESTARTS, **keys, "resume_from_checkpoint": str(checkpoint)}), "rest")
    assert rest.error is not None
    assert rest.error.message == (
        message or "'{checkpoint}' has made 3 steps and holds no base that a restart has changed."
    ).format(checkpoint=checkpoint)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (["embed_tokens", "q_proj"], "'model.embed_tokens' is none."),
        (
            ["lm_head", "q_proj"],
            "'relora' would change the embeddings with 'lm_head', which shares their weight.",
        ),
    ],
)
def test_layers_that_cannot_be_added_to(
    make_config: MakeConfig, train: Train, targets: list[str], message: str
) -> None:
    run = train(make_config(**RESTARTS, lora_target_modules=targets))
    assert run.error is not None
    assert run.error.message.endswith(message)
