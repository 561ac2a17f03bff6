"""Muon for the matrices within a model, AdamW for its embeddings, head and vectors: one optimizer of two."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.optim import AdamW, Optimizer


class MuonWithAdamW(Optimizer):
    """Moves each group by Muon where its ``use_muon`` is true, else by AdamW.

    Muon makes the update of a matrix orthogonal, so it is for weights that multiply hidden states; Jordan et al. 2024,
    https://kellerjordan.github.io/posts/muon/. Scaled by ``match_rms_adamw``, an update is as large as AdamW's, and both
    take the same learning rate and decay (Liu et al. 2025, https://arxiv.org/abs/2502.16982, sec. 2.2).

    Parameters
    ----------
    params
        Groups, each with ``use_muon``.
    lr
        The learning rate of groups that have none.
    betas, adam_eps
        AdamW's.
    momentum, nesterov, ns_steps, adjust_lr_fn
        Muon's, as in ``torch.optim.Muon``.
    """

    def __init__(
        self,
        params: Iterable[dict[str, Any]],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        adam_eps: float = 1e-8,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_steps: int = 5,
        adjust_lr_fn: str = "match_rms_adamw",
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": 0.0, "use_muon": False})
        of_muon = {
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        of_adamw = {"betas": tuple(betas), "eps": adam_eps}
        for group in self.param_groups:
            group.update(of_muon if group["use_muon"] else of_adamw)
        self._parts = self._make_parts()

    def _make_parts(self) -> list[Optimizer]:
        """Return the optimizers that work on this one's own groups and state."""
        makers: tuple[tuple[type[Optimizer], bool], ...] = ((torch.optim.Muon, True), (AdamW, False))
        parts: list[Optimizer] = []
        for make, by_muon in makers:
            if groups := [group for group in self.param_groups if group["use_muon"] is by_muon]:
                part = make(groups)  # pyright: ignore[reportCallIssue] - every optimizer takes groups
                part.state = self.state
                parts.append(part)
        return parts

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Make one step of both."""
        loss = closure() if closure is not None else None
        for part in self._parts:
            part.step()
        return loss

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state; both parts work on it from here on."""
        super().load_state_dict(state_dict)
        self._parts = self._make_parts()
