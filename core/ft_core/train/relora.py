"""ReLoRA: the adapter is added into the base every so many steps, and another one begun (https://arxiv.org/abs/2307.05695).

::

    step      0 ........ N ........ 2N ......
    base      W          W + BA     W + BA + B'A'
    adapter   A, B = 0   A', B = 0  A'', B = 0
    Adam      moments    most are set to 0 at each restart

A restart comes before the step behind N, so a checkpoint of step N holds the adapter that is about to be added, and a run
that goes on from it adds it. New adapters are drawn from the seed and the step alone: the same on every rank, and
in a run that goes on.

What was added is never rounded away: of weights that are not kept in fp32, exact ones are kept in the host's memory, and
those that compute are these, rounded once.
"""

# ruff: noqa: ARG002 - every method has the signature that Trainer calls
from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers.trainer_callback import TrainerCallback, TrainerControl, TrainerState

from ft_core.errors import ModelError
from ft_core.train.saving import RELORA

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, TrainingArguments

    from ft_core.config import Config
    from ft_core.runs import RunWriter

PRUNED = {"magnitude": 0.9, "random": 0.9, "reset": 0.999}
"""Share of Adam's moments that a restart sets to 0, by ``relora_prune_method``, where the config does not say."""

_MOMENTS = ("exp_avg", "exp_avg_sq")
_SHARD = "5GB"
_WRAPPED = re.compile(r"\.(base_layer|original_module|token_adapter)(?=\.)")  # what PEFT puts into names


class Relora(TrainerCallback):
    """Begins the adapter anew, and keeps, saves and loads the base that it is added into; the same on all ranks.

    Parameters
    ----------
    config
        The run's config.
    model
        The base with its adapter.
    writer
        Where events go; None on every rank but the first.

    Raises
    ------
    ModelError
        The adapter is on what is no linear layer, or on one whose weight another layer shares.
    """

    def __init__(self, config: Config, model: PeftModel, writer: RunWriter | None) -> None:
        assert config.jagged_restart_steps is not None
        self.restarts = 0
        self._config = config
        self._every = config.jagged_restart_steps
        self._model = model
        self._writer = writer
        self._layers = _adapted_layers(model)
        self._exact: dict[str, torch.Tensor] = {}

    def on_step_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        optimizer: torch.optim.Optimizer | None = None,
        **_: Any,
    ) -> None:
        """Begin the adapter anew where this step is the first behind a restart."""
        step = state.global_step
        if step == 0 or step % self._every:
            return
        assert optimizer is not None
        self._add()
        _draw(self._layers.values(), self._config, step)
        share = prune(_moments(optimizer, self._layers.values()), self._config, step)
        self.restarts += 1
        if self._writer is not None:
            self._writer.emit("restart", step=step, number=self.restarts, pruned=round(share, 4))
            print(  # noqa: T201
                f"restart {self.restarts} after step {step}: the adapter is added into the model and begun anew",
                flush=True,
            )

    @torch.no_grad()
    def _add(self) -> None:
        """Add the adapter into the base's weights."""
        for path, layer in self._layers.items():
            weight: torch.Tensor = layer.get_base_layer().weight.data
            change = _change(layer, torch.device("cpu") if self._config.relora_cpu_offload else weight.device)
            if weight.dtype == torch.float32:
                weight += change.to(weight.device)
                continue
            if path not in self._exact:
                self._exact[path] = weight.float().cpu()
            self._exact[path] += change.cpu()
            weight.copy_(self._exact[path])

    def whole_model(self) -> PreTrainedModel:
        """Return the tuned model, with the adapter of now in it; nothing is trained after that."""
        from ft_core.models.add_adapter import add_adapter

        self._add()
        for layer in self._layers.values():
            for matrix in layer.lora_B.values():
                torch.nn.init.zeros_(matrix.weight)
        whole, _ = add_adapter(self._model, lambda _what, _done, _total: None)
        whole.config.use_cache = True
        return whole

    def save(self, checkpoint: Path) -> None:
        """Put the changed base into a checkpoint's folder; before the first restart it is the one that the config names."""
        if not self.restarts:
            return
        base: Any = self._model.get_base_model()
        whole = _plain_model(base, {f"{path}.weight": exact for path, exact in self._exact.items()})
        whole.save_pretrained(checkpoint / RELORA, max_shard_size=_SHARD)
        # The format to compute in, and not the one on disk.
        whole.config.dtype = next(iter(self._layers.values())).get_base_layer().weight.dtype
        whole.config.use_cache = True
        whole.config.save_pretrained(checkpoint / RELORA)

    @torch.no_grad()
    def load(self, checkpoint: Path) -> None:
        """Take the base over that a checkpoint holds.

        Raises
        ------
        ModelError
            It holds none, though the adapter was begun anew before.
        """
        step = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))["global_step"]
        self.restarts = (step - 1) // self._every
        if not self.restarts:
            return
        folder = checkpoint / RELORA
        if not folder.is_dir():
            raise ModelError(
                f"'{checkpoint}' has made {step} steps and holds no base that a restart has changed.",
                "Go on with the jagged_restart_steps that it was trained with, from a checkpoint of a run with relora: true.",
            )
        base: Any = self._model.get_base_model()
        stored = type(base).from_pretrained(folder, dtype=torch.float32)
        for path, layer in self._layers.items():
            exact: torch.Tensor = stored.get_submodule(path).weight.data
            weight: torch.Tensor = layer.get_base_layer().weight.data
            weight.copy_(exact)
            if weight.dtype != torch.float32:
                self._exact[path] = exact


@torch.no_grad()
def prune(moments: Iterable[torch.Tensor], config: Config, step: int) -> float:
    """Set a part of each tensor to 0, in place, and return the share of all values that are 0 then.

    The smallest values, or some at random, drawn from the seed and `step`. Axolotl's ``reset`` is the latter with nearly
    all of them.
    """
    ratio = config.relora_prune_ratio
    if ratio is None:
        ratio = PRUNED[config.relora_prune_method]
    chance = torch.Generator().manual_seed(config.seed + step)
    zeros = values = 0
    for tensor in moments:
        count = round(ratio * tensor.numel())
        if config.relora_prune_method == "magnitude":
            sizes = tensor.abs().flatten()
            gone = (
                sizes <= sizes.kthvalue(count).values if count else torch.zeros_like(sizes, dtype=torch.bool)
            )
        else:
            gone = torch.zeros(tensor.numel(), dtype=torch.bool)
            gone[torch.randperm(tensor.numel(), generator=chance)[:count]] = True
        tensor.masked_fill_(gone.view_as(tensor).to(tensor.device), 0)
        zeros += int((tensor == 0).sum())
        values += tensor.numel()
    return zeros / max(values, 1)


def _adapted_layers(model: PeftModel) -> dict[str, Any]:
    """Return the layers that the adapter is on, by their names in the base."""
    from peft.tuners.lora import Linear, LoraLayer

    base: Any = model.get_base_model()
    ends: list[Any] = [base.get_input_embeddings(), base.get_output_embeddings()]
    tied = bool(getattr(base.config.get_text_config(), "tie_word_embeddings", False))
    found: dict[str, Any] = {}
    adapted: list[tuple[str, Any]] = [
        (path, module) for path, module in base.named_modules() if isinstance(module, LoraLayer)
    ]
    for path, layer in adapted:
        if not isinstance(layer, Linear) or not _is_whole(layer):
            raise ModelError(
                f"'relora' adds adapters into whole weights of linear layers, and '{path}' is none.",
                "Name linear layers in lora_target_modules, of a model that is not quantised.",
            )
        if tied and layer in ends:
            raise ModelError(
                f"'relora' would change the embeddings with '{path}', which shares their weight.",
                "Leave it out of lora_target_modules.",
            )
        found[path] = layer
    return found


def _is_whole(layer: Any) -> bool:
    """Whether the weight of a layer is kept as numbers that can be added to."""
    return bool(layer.get_base_layer().weight.is_floating_point())


def _change(layer: Any, device: torch.device) -> torch.Tensor:
    """Return what the adapter adds to a layer's weight, computed on `device`."""
    (name,) = layer.active_adapters
    product = layer.lora_B[name].weight.to(device) @ layer.lora_A[name].weight.to(device)
    return (product.T if layer.fan_in_fan_out else product) * layer.scaling[name]


def _draw(layers: Iterable[Any], config: Config, step: int) -> None:
    """Begin the adapter of each layer anew: A at random, from the seed and `step` alone, and B zero."""
    begin = True if config.peft_init_lora_weights is None else config.peft_init_lora_weights
    every = list(layers)
    devices = {weight.device for layer in every for weight in layer.parameters() if weight.is_cuda}
    with torch.random.fork_rng(devices):
        torch.manual_seed(config.seed + step)
        for layer in every:
            for name in layer.active_adapters:
                layer.reset_lora_parameters(name, begin)


def _moments(optimizer: torch.optim.Optimizer, layers: Iterable[Any]) -> Iterator[torch.Tensor]:
    """Yield Adam's moments of the adapter's matrices."""
    for layer in layers:
        for matrices in (layer.lora_A, layer.lora_B):
            for matrix in matrices.values():
                state = optimizer.state[matrix.weight]
                yield from (state[name] for name in _MOMENTS)


def _plain_model(base: Any, exact: dict[str, torch.Tensor]) -> Any:
    """Return `base` in fp32 as a model without an adapter, its weights `exact` where those are kept."""
    from accelerate import init_empty_weights

    with init_empty_weights(include_buffers=False):
        whole = type(base)(copy.deepcopy(base.config))
    names = set(whole.state_dict())
    state: dict[str, torch.Tensor] = {}
    for path, tensor in [*base.named_parameters(remove_duplicate=False), *base.named_buffers()]:
        name = _WRAPPED.sub("", path)
        if name in names:
            kept: torch.Tensor = exact[name] if name in exact else tensor.detach()
            state[name] = kept.float().cpu() if kept.is_floating_point() else kept.cpu()
    whole.load_state_dict(state, assign=True)
    whole.tie_weights()
    whole.generation_config = base.generation_config
    return whole
