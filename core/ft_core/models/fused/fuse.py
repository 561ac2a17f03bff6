"""Which layers of an adapted model are computed as fused steps, and the proof that they compute the same.

A layer gets a forward pass of its own for the steps that train; wherever nothing trains, or the adapter is off, it goes
the way that PEFT wrote. Layers that are made otherwise than expected are left alone: a quantisation that keeps its weights
elsewhere, a second adapter, a bias that trains. Feed-forward blocks are recognised by their parts, and each kind of them
is asked for one small output before it is believed.
"""

from __future__ import annotations

import functools
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from ft_core.models.fused.choose import Part
from ft_core.models.fused.gate import activation_of
from ft_core.models.fused.gated import GatedBlock, Matrices, gated_block
from ft_core.models.fused.linear import Adapted, Frozen, adapted_linear

if TYPE_CHECKING:
    from peft import PeftModel

_BLOCK_PARTS = ("gate_proj", "up_proj", "down_proj")
_AFTER_ATTENTION = ("o_proj", "out_proj", "dense", "c_proj", "wo")
_BLOCK_NAMES = ("mlp", "feed_forward", "ffn", "fc_in", "fc_out", "fc1", "fc2", "shared_expert", "experts")
_PROBE = 4
# Rounding of the two ways, against the largest number of the output.
_ROUNDING = {torch.float32: 1e-5, torch.bfloat16: 0.02, torch.float16: 0.005}


@dataclass(frozen=True)
class Fused:
    """How many layers are computed as fused steps.

    Attributes
    ----------
    linears
        Adapted linear layers on their own.
    blocks
        Whole feed-forward blocks.
    """

    linears: int
    blocks: int


def fuse(model: PeftModel, parts: Collection[Part]) -> Fused:
    """Have the adapted layers of `model` computed as fused steps, where they can be.

    Parameters
    ----------
    model
        A model with a LoRA adapter.
    parts
        Which of its layers.
    """
    blocks: list[torch.nn.Module] = []
    believed: dict[type, bool] = {}
    if "mlp" in parts:
        for module in model.modules():
            block = _gated_block_of(module)
            if block is None:
                continue
            if type(module) not in believed:
                believed[type(module)] = _computes_alike(module, block)
            if believed[type(module)]:
                _replace_forward(module, block.forward)
                blocks.append(module)
    within = {inner for block in blocks for inner in block.modules()}
    linears = 0
    for path, module in model.named_modules():
        if module in within or _part_of(path) not in parts:
            continue
        layer = _adapted(module)
        if layer is not None and layer.name is not None:
            _replace_forward(module, layer.forward)
            linears += 1
    return Fused(linears, len(blocks))


@dataclass(frozen=True)
class _Layer:
    """A linear layer, and its adapter if it has one."""

    module: Any
    name: str | None
    step: Adapted
    unfused: Any

    @property
    def matrices(self) -> Matrices:
        """The adapter's matrices."""
        if self.name is None:
            return None, None
        return self.module.lora_A[self.name].weight, self.module.lora_B[self.name].weight

    @property
    def ready(self) -> bool:
        """Whether this is a step that trains the adapter."""
        module = self.module
        return self.name is None or (
            not module.disable_adapters and not module.merged and module.active_adapters == [self.name]
        )

    def forward(self, hidden: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Compute the layer."""
        if args or kwargs or not torch.is_grad_enabled() or not self.ready:
            return self.unfused(hidden, *args, **kwargs)
        a, b = self.matrices
        assert a is not None
        assert b is not None
        return adapted_linear(self.step, _computed(hidden), a, b)


@dataclass(frozen=True)
class _Block:
    """A gated feed-forward block."""

    gate: _Layer
    up: _Layer
    down: _Layer
    step: GatedBlock
    unfused: Any

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Compute the block."""
        layers = (self.gate, self.up, self.down)
        if not torch.is_grad_enabled() or not all(layer.ready for layer in layers):
            return self.unfused(hidden)
        return self.fused(hidden)

    def fused(self, hidden: torch.Tensor) -> torch.Tensor:
        """Compute the block as one step."""
        return gated_block(
            self.step, _computed(hidden), self.gate.matrices, self.up.matrices, self.down.matrices
        )


def _gated_block_of(module: torch.nn.Module) -> _Block | None:
    """Return the parts of a gated feed-forward block, or None if `module` is none."""
    children = dict(module.named_children())
    if not set(_BLOCK_PARTS) <= set(children):
        return None
    layers = [_adapted(children[part]) for part in _BLOCK_PARTS]
    activation = activation_of(getattr(module, "act_fn", None))
    if activation is None or any(layer is None for layer in layers):
        return None
    gate, up, down = (layer for layer in layers if layer is not None)
    return _Block(gate, up, down, GatedBlock(gate.step, up.step, down.step, activation), module.forward)


def _adapted(module: torch.nn.Module) -> _Layer | None:
    """Return a frozen linear layer with its adapter, or None if `module` is made otherwise."""
    from peft.tuners.lora import LoraLayer

    if not isinstance(module, LoraLayer):
        if not _is_frozen(module):
            return None
        return _Layer(module, None, Adapted(Frozen(module), None), module.forward)
    layer: Any = module
    names = list(layer.lora_A)
    if len(names) != 1 or not _is_frozen(layer.base_layer) or layer.fan_in_fan_out:
        return None
    [name] = names
    plain = (
        isinstance(layer.lora_dropout[name], torch.nn.Identity)
        and name not in layer.lora_variant
        and layer.lora_A[name].bias is None
        and layer.lora_B[name].bias is None
    )
    if not plain:
        return None
    return _Layer(layer, name, Adapted(Frozen(layer.base_layer), layer.scaling[name]), layer.forward)


def _is_frozen(module: torch.nn.Module) -> bool:
    """Say whether a layer is a linear one, of 16 or 32 bit or bitsandbytes' 4, and none of its weights train."""
    if any(weight.requires_grad for weight in module.parameters()):
        return False
    return type(module) is torch.nn.Linear or (
        type(module).__name__ == "Linear4bit" and hasattr(getattr(module, "weight", None), "quant_state")
    )


def _computes_alike(module: torch.nn.Module, block: _Block) -> bool:
    """Say whether a block's output is what its parts make of it."""
    weight = next(module.parameters())
    width: int = block.gate.step.base.layer.in_features  # type: ignore[assignment]
    generator = torch.Generator().manual_seed(0)
    dtype = weight.dtype if weight.dtype in _ROUNDING else torch.bfloat16
    hidden = torch.randn(1, _PROBE, width, generator=generator).to(weight.device, dtype)
    training = module.training
    module.eval()
    try:
        with torch.no_grad():
            expected, found = block.unfused(hidden), block.fused(hidden)
    finally:
        module.train(training)
    scale = expected.abs().max().item()
    return found.shape == expected.shape and bool(
        (found - expected).abs().max() <= _ROUNDING[dtype] * max(scale, 1e-6)
    )


def _part_of(path: str) -> Part:
    """Return which part of a model a layer belongs to, by its path."""
    *above, name = path.split(".")
    if any(each in _BLOCK_NAMES for each in (*above, name)):
        return "mlp"
    return "o" if name in _AFTER_ATTENTION else "qkv"


def _computed(hidden: torch.Tensor) -> torch.Tensor:
    """Return hidden states in the format that matrices are multiplied in."""
    kind = hidden.device.type
    return hidden.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else hidden


def _replace_forward(module: torch.nn.Module, forward: Any) -> None:
    """Give one module a forward pass of its own."""
    module.forward = functools.wraps(module.forward)(functools.partial(forward))
