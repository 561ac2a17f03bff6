"""Three steps of each optimizer, against the same steps made by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ft_core.config import Config
from ft_core.config.schema.values import names
from ft_core.models.hardware import Hardware
from ft_core.runs import Run
from ft_core.train.arguments import optimizer_class, training_arguments
from ft_core.train.memory import checkpoint_bytes
from ft_core.train.muon import MuonWithAdamW
from ft_core.train.steps import Steps

CPU = Hardware("cpu", (), 8, 16 * 1024**3, 8 * 1024**3)
RATE, DECAY = 0.1, 0.01
GRADIENTS = [torch.tensor([1.0, -2.0, 0.5]), torch.tensor([-0.5, 1.0, 3.0]), torch.tensor([2.0, 0.25, -1.0])]
START = torch.tensor([1.0, 2.0, -3.0])

State = dict[str, torch.Tensor]
Rule = Callable[[torch.Tensor, torch.Tensor, State, int], torch.Tensor]


def adamw(weight: torch.Tensor, grad: torch.Tensor, state: State, step: int) -> torch.Tensor:
    """Loshchilov and Hutter 2017, algorithm 2, with betas 0.8 and 0.9."""
    state["m"] = 0.8 * state.get("m", 0) + 0.2 * grad
    state["v"] = 0.9 * state.get("v", 0) + 0.1 * grad**2
    mean, square = state["m"] / (1 - 0.8**step), state["v"] / (1 - 0.9**step)
    return weight - RATE * (mean / (square.sqrt() + 1e-8) + DECAY * weight)


def sgd(weight: torch.Tensor, grad: torch.Tensor, state: State, step: int) -> torch.Tensor:
    grad = grad + DECAY * weight
    state["m"] = 0.9 * state.get("m", 0) + grad
    return weight - RATE * state["m"]


def adagrad(weight: torch.Tensor, grad: torch.Tensor, state: State, step: int) -> torch.Tensor:
    grad = grad + DECAY * weight
    state["v"] = state.get("v", 0) + grad**2
    return weight - RATE * grad / (state["v"].sqrt() + 1e-10)


def rmsprop(weight: torch.Tensor, grad: torch.Tensor, state: State, step: int) -> torch.Tensor:
    grad = grad + DECAY * weight
    state["v"] = 0.99 * state.get("v", 0) + 0.01 * grad**2
    return weight - RATE * grad / (state["v"].sqrt() + 1e-8)


def lion(weight: torch.Tensor, grad: torch.Tensor, state: State, step: int) -> torch.Tensor:
    """Chen et al. 2023, https://arxiv.org/abs/2302.06675, program 1."""
    mean = state.get("m", torch.zeros(3))
    moved = weight * (1 - RATE * DECAY) - RATE * (0.8 * mean + 0.2 * grad).sign()
    state["m"] = 0.9 * mean + 0.1 * grad
    return moved


def schedule_free_sgd(weight: torch.Tensor, grad: torch.Tensor, state: State, step: int) -> torch.Tensor:
    """Defazio et al. 2024, https://arxiv.org/abs/2405.15682, eq. 4 to 6; the gradient is taken at `weight`."""
    last, average = state.get("z", weight), state.get("x", weight)
    state["z"] = last - RATE * (grad + DECAY * weight)
    state["x"] = average + (state["z"] - average) / step
    return 0.9 * state["x"] + 0.1 * state["z"]


AT_HAND = names(
    "adamw_torch_fused adamw_torch adafactor ademamix sgd adagrad adamw_bnb_8bit adamw_8bit ademamix_8bit lion_8bit "
    "lion_32bit paged_adamw_32bit paged_adamw_8bit paged_ademamix_32bit paged_ademamix_8bit paged_lion_32bit "
    "paged_lion_8bit rmsprop rmsprop_bnb rmsprop_bnb_8bit rmsprop_bnb_32bit schedule_free_radam schedule_free_adamw "
    "schedule_free_sgd muon"
)
"""The optimizers whose packages are installed for development."""

BETAS: dict[str, Any] = {"adam_beta1": 0.8, "adam_beta2": 0.9}


@pytest.mark.parametrize(
    ("keys", "rule"),
    [
        ({"optimizer": "adamw_torch", **BETAS}, adamw),
        ({"optimizer": "adamw_torch_fused", **BETAS}, adamw),
        ({"optimizer": "paged_adamw_32bit", **BETAS}, adamw),
        ({"optimizer": "sgd", "optim_args": {"momentum": 0.9}}, sgd),
        ({"optimizer": "adagrad"}, adagrad),
        ({"optimizer": "rmsprop"}, rmsprop),
        ({"optimizer": "lion_32bit", **BETAS}, lion),
        ({"optimizer": "schedule_free_sgd", "lr_scheduler": "constant"}, schedule_free_sgd),
        ({"optimizer": "muon", **BETAS}, adamw),  # a vector
    ],
    ids=lambda value: value["optimizer"] if isinstance(value, dict) else "",
)
@pytest.mark.filterwarnings("ignore:Paged optimizers are not supported on CPU")
def test_three_steps(
    keys: dict[str, Any], rule: Rule, make_config: Callable[..., Config], tmp_path: Path
) -> None:
    config = make_config(learning_rate=RATE, weight_decay=DECAY, **keys)
    model = OneVector()
    optimizer = build(config, model, tmp_path)
    expected, state = START.clone(), {}
    for step, grad in enumerate(GRADIENTS, 1):
        model.weight.grad = grad.clone()
        optimizer.step()
        expected = rule(expected, grad, state, step)
        torch.testing.assert_close(model.weight.detach(), expected, rtol=2e-6, atol=1e-6)


class OneVector(torch.nn.Module):
    """A model of three weights."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(START.clone())

    def get_input_embeddings(self) -> None:
        """Return nothing: it has none."""

    def get_output_embeddings(self) -> None:
        """Return nothing: it has none."""


def build(config: Config, model: torch.nn.Module, folder: Path) -> Any:
    """Return the optimizer that a run of `config` has."""
    arguments = training_arguments(config, CPU, Steps(10, 20), world_size=1, checkpoints=folder, eval_rows=0)
    kind, settings = optimizer_class(config, arguments, model)
    groups = settings.pop(
        "params", [{"params": list(model.parameters()), "weight_decay": config.weight_decay}]
    )
    optimizer = kind(groups, **settings)
    if hasattr(optimizer, "train"):
        optimizer.train()
    return optimizer


def orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """Return five quintic Newton-Schulz steps towards the nearest orthogonal matrix, in bfloat16 as the optimizer does."""
    wide = matrix.shape[0] <= matrix.shape[1]
    found = (matrix if wide else matrix.T).bfloat16()
    found = found / found.norm()
    for _ in range(5):
        square = found @ found.T
        found = torch.addmm(
            found, torch.addmm(square, square, square, beta=-4.7750, alpha=2.0315), found, beta=3.4445
        )
    return (found if wide else found.T).float()


def test_muon_moves_a_matrix_by_an_orthogonal_one() -> None:
    torch.manual_seed(0)
    start = torch.randn(6, 4)
    weight = torch.nn.Parameter(start.clone())
    optimizer = MuonWithAdamW(
        [{"params": [weight], "weight_decay": DECAY, "lr": RATE, "use_muon": True}], lr=RATE
    )
    expected, momentum = start.clone(), torch.zeros(6, 4)
    for _ in range(3):
        grad = torch.randn(6, 4)
        weight.grad = grad.clone()
        optimizer.step()
        momentum = 0.95 * momentum + 0.05 * grad
        update = orthogonal(0.05 * grad + 0.95 * momentum)
        expected = expected * (1 - RATE * DECAY) - RATE * 0.2 * math.sqrt(6) * update
        torch.testing.assert_close(weight.detach(), expected, rtol=1e-5, atol=1e-6)
    assert (weight - start).abs().max() > 1e-2


def test_muon_leaves_embeddings_and_vectors_to_adamw(
    make_config: Callable[..., Config], tiny_model: Path, tmp_path: Path
) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    optimizer = build(make_config(optimizer="muon", adapter=...), model, tmp_path)
    names = {id(weight): name for name, weight in model.named_parameters()}
    by_muon = {
        names[id(weight)]
        for group in optimizer.param_groups
        if group["use_muon"]
        for weight in group["params"]
    }
    assert by_muon == {name for name in names.values() if name.endswith("_proj.weight")}
    assert len(by_muon) == 14


@pytest.mark.parametrize(
    "keys",
    [
        *({"optimizer": name} for name in AT_HAND),
        {"optimizer": "sgd", "optim_args": {"momentum": 0.9}},
    ],
    ids=lambda keys: "-".join(map(str, keys.values())),
)
@pytest.mark.filterwarnings("ignore:Paged optimizers are not supported on CPU")
def test_the_plan_knows_the_state(
    keys: dict[str, Any], make_config: Callable[..., Config], tmp_path: Path
) -> None:
    config = make_config(adapter=..., **keys)
    model = torch.nn.Linear(256, 256, bias=False)
    model.get_input_embeddings = model.get_output_embeddings = lambda: None  # type: ignore[assignment]
    optimizer = build(config, model, tmp_path)
    model.weight.grad = torch.randn(256, 256)
    optimizer.step()
    tensors = [value for value in optimizer.state[model.weight].values() if torch.is_tensor(value)]
    found = sum(value.numel() * value.element_size() for value in tensors if value.numel() > 512)
    known = checkpoint_bytes(config, parameters=65536, trainable=65536) - 65536 * 4
    # 8 bit numbers come with a scale for every 256 of them; Adafactor keeps a row and a column.
    assert found == known or (config.optimizer == "adafactor" and found == 0)


@pytest.mark.parametrize("optimizer", ["muon", "schedule_free_adamw", "adamw_bnb_8bit"])
def test_a_run_that_goes_on_equals_one_that_never_stopped(
    optimizer: str, make_config: Callable[..., Config], train: Callable[..., Run], events: Callable[..., Any]
) -> None:
    keys: dict[str, Any] = {
        "optimizer": optimizer,
        "lr_scheduler": "constant" if optimizer.startswith("schedule_free") else "rex",
        "max_steps": 4,
        "save_steps": 2,
        "save_strategy": ...,
        "lora_r": 64,  # matrices that bitsandbytes keeps in 8 bit have 4096 weights and more
        "lora_target_modules": ["up_proj", "q_proj"],
    }
    whole = train(make_config(**keys))
    half = whole.directory / "checkpoints" / "checkpoint-2"
    rest = train(make_config(**keys, resume_from_checkpoint=str(half)))
    steps, rest_of_steps = ([*events(run, "step")] for run in (whole, rest))
    for one, other in zip(steps[2:], rest_of_steps, strict=True):
        for name in ("step", "loss", "learning_rate", "grad_norm"):
            assert other[name] == one[name]
    weights, resumed = (load_file(run.final / "adapter_model.safetensors") for run in (whole, rest))
    assert all(torch.equal(resumed[name], weight) for name, weight in weights.items())


def test_noise_on_the_embeddings_is_for_training_alone(
    make_config: Callable[..., Config], train: Callable[..., Run], events: Callable[..., Any]
) -> None:
    # The weights do not move, so that the evaluations are of the same model.
    keys: dict[str, Any] = {"learning_rate": 1e-30, "max_steps": 1, "val_set_size": 4}
    plain, noisy = train(make_config(**keys)), train(make_config(**keys, neftune_noise_alpha=50))
    assert events(noisy, "eval")[0]["loss"] == events(plain, "eval")[0]["loss"]
    assert events(noisy, "step")[0]["loss"] != events(plain, "step")[0]["loss"]


def test_a_schedule_free_run_saves_the_averaged_weights(
    make_config: Callable[..., Config], train: Callable[..., Run]
) -> None:
    """Gradients are taken at y = 0.9 x + 0.1 z, and x is the model: both are saved, the last step's checkpoint and final."""
    keys: dict[str, Any] = {
        "optimizer": "schedule_free_sgd",
        "learning_rate": 1.0,
        "max_grad_norm": 0,
        "save_steps": 2,
        "save_strategy": ...,
        "max_steps": 3,
    }
    run = train(make_config(**keys))
    checkpoint = run.directory / "checkpoints" / "checkpoint-2"
    state = torch.load(checkpoint / "optimizer.pt", weights_only=True)
    assert [group["train_mode"] for group in state["param_groups"]] == [False] * len(state["param_groups"])
    other = train(make_config(**{**keys, "max_steps": 2, "save_steps": ...}))
    saved, final = (load_file(folder / "adapter_model.safetensors") for folder in (checkpoint, other.final))
    assert all(torch.equal(saved[name], weight) for name, weight in final.items())
