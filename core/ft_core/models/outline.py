"""What a model is made of, without its weights: module names, what an adapter on each would add, and totals. Torch-free.

Two things make an `Outline`: the model built without weights (`ft_core.models.skeleton`, exact), and the headers of the
weight files (`ft_core.models.parameters`, near: names on disk may differ from those of the loaded model).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

ModuleKind = Literal["linear", "embedding", "convolution", "other"]

_MIXER = ("mixer.x_proj", "mixer.dt_proj", "mixer.out_proj")
_READ = {
    "jamba": ("mamba.dt_proj",),
    **dict.fromkeys(("mamba", "falcon_mamba"), _MIXER),
    **dict.fromkeys(("mamba2", "nemotron_h"), ("mixer.out_proj",)),
    **dict.fromkeys(("bamba", "falcon_h1", "granitemoehybrid", "zamba2"), ("mamba.out_proj",)),
}


@dataclass(frozen=True)
class Module:
    """One module of a model.

    Attributes
    ----------
    kind
        ``linear`` (the transposed ones of GPT-2 among them), ``embedding``, ``convolution``, or ``other``, which takes
        no adapter.
    parameters
        Parameters of the module and of all within it.
    per_rank
        Parameters that a LoRA adapter on it has for each unit of its rank: ``in + out`` of a linear layer.
    outputs
        Length of the magnitude vector that DoRA adds.
    """

    kind: ModuleKind
    parameters: int
    per_rank: int = 0
    outputs: int = 0


@dataclass(frozen=True)
class Fusion:
    """How PEFT reads targets that name the experts of a mixture one by one, where the model holds them fused.

    Attributes
    ----------
    names
        Old name of a projection to the end of the parameter's name that holds it now: ``w1`` to ``gate_up_proj``.
    together
        Parameters that hold several projections, and which: these must be named together, and their rank is multiplied.
    shapes
        The parameters that an adapter can go on, by name.
    """

    names: Mapping[str, str]
    together: Mapping[str, tuple[str, ...]]
    shapes: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Outline:
    """A model without its weights.

    Attributes
    ----------
    total
        Parameters in all, tied ones counted once.
    modules
        Every module by its dotted name, in the model's order.
    embedding
        Name of the module that holds a row for each token; empty where it is not known.
    output_head
        Name of the module that makes the logits; empty where it is not known.
    tied
        Names of the modules that share the weight of the input embedding.
    experts
        Fused weights of mixtures of experts, which are parameters and no linear layers: name to shape.
    fusion
        How targets name those; None for models without, and for those that PEFT does not know.
    weights
        The shape of every weight by its name, a weight with two names once, in the model's order.
    twins
        Further names of weights, and the name that each goes by in `weights`.
    positions
        Tokens that the model has positions for; None where there is no such limit, or it is not known.
    exact
        Whether this is the model as it is loaded, and not read off its files.
    """

    total: int
    modules: Mapping[str, Module]
    embedding: str = ""
    output_head: str = ""
    tied: tuple[str, ...] = ()
    experts: Mapping[str, tuple[int, ...]] = dataclasses.field(default_factory=dict[str, tuple[int, ...]])
    fusion: Fusion | None = None
    weights: Mapping[str, tuple[int, ...]] = dataclasses.field(default_factory=dict[str, tuple[int, ...]])
    twins: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    positions: int | None = None
    exact: bool = False

    def linear_layers(self) -> dict[str, Module]:
        """Return the linear layers but the output head: what ``all-linear`` means in PEFT."""
        return {
            name: module
            for name, module in self.modules.items()
            if module.kind == "linear" and name != self.output_head
        }

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as a cache keeps them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Outline:
        """Return the outline of what `to_dict` gave.

        Raises
        ------
        KeyError, TypeError
            The values are of something else.
        """
        return cls(
            total=values["total"],
            modules={name: Module(**module) for name, module in values["modules"].items()},
            embedding=values["embedding"],
            output_head=values["output_head"],
            tied=tuple(values["tied"]),
            experts={name: tuple(shape) for name, shape in values["experts"].items()},
            fusion=_fusion(values["fusion"]) if values["fusion"] else None,
            weights={name: tuple(shape) for name, shape in values["weights"].items()},
            twins=dict(values["twins"]),
            positions=values["positions"],
            exact=values["exact"],
        )


def read_past(model_type: str) -> tuple[str, ...]:
    """Return the ends of the names of linear layers that a family has and does not call: it hands their weights to a kernel.

    What an adapter on one of them adds would never be computed, and PEFT refuses some of them.

    >>> read_past("jamba"), read_past("llama")
    (('mamba.dt_proj',), ())
    """
    return _READ.get(model_type, ())


def _fusion(values: Mapping[str, Any]) -> Fusion:
    return Fusion(
        names=dict(values["names"]),
        together={name: tuple(parts) for name, parts in values["together"].items()},
        shapes={name: tuple(shape) for name, shape in values["shapes"].items()},
    )
