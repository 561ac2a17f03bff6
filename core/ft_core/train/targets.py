"""The loss inside the model's head, on the positions that predict a target and on no others.

A head turns each position into as many logits as there are words, and with a large vocabulary the logits of a batch are the
most memory that a step takes. Those of prompts and of padding are never looked at. So, for the length of one call, the
head gets a forward pass of our own::

    hidden states [rows, length, hidden]
          │  the positions that predict a target
    [targets, hidden]
          │  some at a time: logits, their loss, its gradient, and the logits are gone
    one number, which the model returns as its logits

It stays within the model's forward pass, so whatever wraps the model (DDP, FSDP, autocast, PEFT) sees what it always sees.
A model may change what its head made (Gemma 2 caps it); there, the logits of the targets alone are made, and all at once.
The model itself is asked which of these is right, before the first step.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it

from ft_core.data import IGNORE
from ft_core.train.logits import logits_at_a_time
from ft_core.train.loss import summed_loss

_PROBE = 8
_KEPT = slice(2, 5)
# Rounding of a matrix product that has other rows beside it, against the largest logit.
_ROUNDING = {torch.float32: 1e-4, torch.bfloat16: 0.03, torch.float16: 0.01}


@dataclass(frozen=True)
class Head:
    """A model's head, and how the loss is got from it.

    Attributes
    ----------
    loss
        ``within``: the head computes the loss, in chunks; ``selected``: it makes the logits of targets only, and the model
        changes these; ``outside``: it makes all logits.
    module
        The head; None where the model has none that it calls.
    vocabulary
        Logits of one position.
    weights
        What trains in it, tied embeddings and adapters included.
    """

    loss: Literal["within", "selected", "outside"]
    module: torch.nn.Module | None = None
    vocabulary: int = 1
    weights: tuple[torch.Tensor, ...] = ()


def find_head(model: torch.nn.Module, inner: Any) -> Head:
    """Return how the loss is got from a model's head, by looking at what the model does with a few tokens.

    Parameters
    ----------
    model
        The model as it is called, wrapped for several ranks or not.
    inner
        The same without wrapper.
    """
    module: torch.nn.Module | None = inner.get_output_embeddings()
    if module is None:
        return Head("outside")
    device = inner.get_input_embeddings().weight.device
    ids = torch.arange(_PROBE, device=device)[None]
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    weights: list[torch.Tensor] = []

    def look(_: torch.nn.Module, inputs: tuple[torch.Tensor, ...], logits: torch.Tensor) -> None:
        seen.append((inputs[0], logits))
        with torch.enable_grad():
            weights[:] = _leaves(forward(inputs[0][:, :1].detach()))

    def probe() -> torch.Tensor:
        return model(input_ids=ids, use_cache=False).logits

    forward = module.forward
    training = inner.training
    inner.eval()  # without dropout, which differs from call to call
    try:
        with torch.no_grad():
            hook = module.register_forward_hook(look)
            try:
                whole = probe()
            finally:
                hook.remove()
            if len(seen) != 1 or seen[0][0].shape[:-1] != ids.shape or seen[0][1].shape != whole.shape:
                return Head("outside")
            made = seen[0][1]
            if torch.equal(whole.float(), made.float()):
                return Head("within", module, made.shape[-1], tuple(weights))
            with _forward(module, lambda hidden: forward(hidden[:, _KEPT])):
                some = probe()
    finally:
        inner.train(training)
    tolerance = _ROUNDING.get(made.dtype, 0.03) * whole.abs().max().item()
    alike = some.shape == whole[:, _KEPT].shape and bool((some - whole[:, _KEPT]).abs().max() <= tolerance)
    return Head("selected", module, made.shape[-1]) if alike else Head("outside")


def target_loss(head: Head, call: Callable[[], Any], labels: torch.Tensor) -> torch.Tensor:
    """Return the cross entropy of every target token, summed, in fp32.

    Parameters
    ----------
    head
        The head of the model.
    call
        Calls the model on a batch.
    labels
        The batch's ``[rows, length]``, -100 where nothing is trained.
    """
    module = head.module
    if module is None:
        return summed_loss(call().logits, labels)
    following = F.pad(labels[:, 1:], (0, 1), value=IGNORE).flatten()
    # index_select and not a boolean mask: its backward adds whole rows, several times faster on a CPU.
    trained = (following != IGNORE).nonzero().squeeze(1)
    targets = following[trained]
    forward = module.forward

    def of_targets(hidden: torch.Tensor) -> torch.Tensor:
        selected = hidden.flatten(0, 1).index_select(0, trained)
        if head.loss == "selected":
            return forward(selected[None])
        loss: torch.Tensor = _LossInChunks.apply(forward, head.vocabulary, targets, selected, *head.weights)
        return loss[None, None, None]

    with _forward(module, of_targets):
        logits: torch.Tensor = call().logits
    if head.loss == "selected":
        return F.cross_entropy(logits[0].float(), targets, reduction="sum")
    return logits.sum()


@contextlib.contextmanager
def _forward(module: torch.nn.Module, forward: Callable[[torch.Tensor], torch.Tensor]) -> Generator[None]:
    """Let a module compute something else for a while."""
    before = vars(module).get("forward")
    module.forward = forward
    try:
        yield
    finally:
        if before is None:
            del module.forward
        else:
            module.forward = before


def _leaves(output: torch.Tensor) -> list[torch.Tensor]:
    """Return the tensors that train and that an output was computed from, wherever they are kept."""
    found: list[torch.Tensor] = []
    seen: set[Any] = set()
    ahead: list[Any] = [output.grad_fn]
    while ahead:
        node = ahead.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            found.append(node.variable)
        ahead += [following for following, _ in node.next_functions]
    return found


class _LossInChunks(torch.autograd.Function):
    """The summed cross entropy of logits that are made, and differentiated, some rows at a time.

    The gradient for the hidden states and for the head's weights is taken in the forward pass, while the logits are there;
    the backward pass scales it. So no logits are kept, and none are made twice.
    """

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        head: Callable[[torch.Tensor], torch.Tensor],
        vocabulary: int,
        targets: torch.Tensor,
        hidden: torch.Tensor,
        *weights: torch.Tensor,
    ) -> torch.Tensor:
        needed: tuple[bool, ...] = ctx.needs_input_grad[3:]
        trained = [weight for weight, need in zip(weights, needed[1:], strict=True) if need]
        gradients = [torch.zeros_like(weight) for weight in trained]
        of_hidden = torch.zeros_like(hidden) if needed[0] else None
        total = torch.zeros((), device=hidden.device)
        rows = max(1, logits_at_a_time(head_trains=bool(trained)) // vocabulary)
        for start in range(0, len(hidden), rows):
            chosen = slice(start, start + rows)
            part = hidden[chosen].detach().requires_grad_(needed[0])
            with torch.set_grad_enabled(any(needed)):
                logits = head(part[None])[0]
            scores = torch.log_softmax(logits.detach(), dim=-1, dtype=torch.float32)
            index = targets[chosen, None]
            total -= scores.gather(1, index).sum()
            if not any(needed):
                continue
            scores.exp_()  # the gradient of the loss is the probabilities, less 1 at the target
            scores.scatter_add_(1, index, torch.full_like(index, -1, dtype=torch.float32))
            inputs = [part, *trained] if needed[0] else trained
            found = list(torch.autograd.grad(logits, inputs, scores.to(logits.dtype)))
            if of_hidden is not None:
                of_hidden[chosen] = found.pop(0)
            for gradient, more in zip(gradients, found, strict=True):
                gradient += more
        left = iter(gradients)
        ctx.gradients = [of_hidden, *(next(left) if need else None for need in needed[1:])]
        return total

    @staticmethod
    def backward(ctx: Any, scale: torch.Tensor) -> Any:  # type: ignore[override]
        gradients = [each if each is None else each.mul_(scale) for each in ctx.gradients]
        del ctx.gradients
        return None, None, None, *gradients
