"""The loss within the head: the same loss and gradients as from all logits, in every family, and fewer logits."""

from __future__ import annotations

import contextlib
import functools
from typing import Any

import pytest
import torch

from ft_core.train import targets
from ft_core.train.loss import summed_loss
from ft_core.train.targets import Head, find_head, target_loss
from tests.conformance.families import GPT, HEADS, WIDE, WINDOW
from tests.conformance.test_isolation import VOCABULARY, build

CAPPED = {**WINDOW, **HEADS, "final_logit_softcapping": 5.0}
FAMILIES: dict[str, tuple[dict[str, Any], str]] = {
    "llama": ({**WIDE, "tie_word_embeddings": True}, "within"),
    "mistral": (WIDE, "within"),
    "mixtral": ({**WIDE, "num_local_experts": 4}, "within"),
    "qwen2": (WIDE, "within"),
    "phi": (WIDE, "within"),  # its head has a bias
    "gpt2": (GPT, "within"),
    "gptj": ({**GPT, "rotary_dim": 4}, "within"),
    "gemma2": (CAPPED, "selected"),
    "cohere": ({**WIDE, "logit_scale": 0.5}, "selected"),
    "granite": ({**WIDE, "logits_scaling": 4.0}, "selected"),
}


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a chunk of four positions."""
    monkeypatch.setattr(targets, "logits_at_a_time", lambda head_trains: 4 * VOCABULARY)


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Return two rows of twelve tokens and their labels: half of them trained, in another place in each row."""
    ids = torch.randint(3, VOCABULARY, (2, 12), generator=torch.Generator().manual_seed(1))
    labels = ids.clone()
    labels[0, :7] = -100
    labels[1, 9:] = -100
    return ids, labels


def loss_and_gradients(
    model: Any, head: Head | None, labels: torch.Tensor | None = None
) -> tuple[float, Any]:
    """Return the summed loss by way of `head`, or from all logits, and the gradients of a third of it."""
    ids, given = batch()
    labels = given if labels is None else labels
    call = functools.partial(model, input_ids=ids, use_cache=False)
    loss = summed_loss(call().logits, labels) if head is None else target_loss(head, call, labels)
    (loss / 3).backward()
    gradients = {name: each.grad.clone() for name, each in model.named_parameters() if each.grad is not None}
    model.zero_grad(set_to_none=True)
    return loss.item(), gradients


def assert_same(model: Any, head: Head, labels: torch.Tensor | None = None, rtol: float = 1e-5) -> None:
    """Assert that the loss and every gradient are those from all logits."""
    loss, gradients = loss_and_gradients(model, head, labels)
    expected, theirs = loss_and_gradients(model, None, labels)
    assert loss == pytest.approx(expected, rel=rtol)
    assert gradients.keys() == theirs.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(
            gradient, theirs[name], rtol=rtol, atol=rtol * theirs[name].abs().max().item(), msg=name
        )


@pytest.mark.parametrize("family", FAMILIES)
def test_loss_and_gradients_are_those_from_all_logits(family: str) -> None:
    shape, how = FAMILIES[family]
    model = build(family, shape, "eager")
    head = find_head(model, model)
    assert head.loss == how
    assert model.training
    assert "forward" not in vars(head.module)
    assert_same(model, head)


def with_adapter(**keys: Any) -> Any:
    """Return a Llama with an adapter whose matrices are not zero."""
    from peft import LoraConfig, get_peft_model

    tied = {**WIDE, "tie_word_embeddings": keys.pop("tied", False)}
    model = get_peft_model(build("llama", tied, "sdpa"), LoraConfig(r=4, task_type="CAUSAL_LM", **keys))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, 0, 0.1)
    return model


@pytest.mark.parametrize(
    ("keys", "trained"),
    [
        ({"target_modules": "all-linear"}, 0),
        ({"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]}, 1),
        ({"target_modules": ["q_proj", "lm_head"]}, 2),
        ({"target_modules": ["q_proj", "lm_head"], "use_dora": True}, 3),
        ({"target_modules": ["q_proj"], "trainable_token_indices": [5, 6], "tied": True}, 1),
    ],
    ids=["frozen head", "whole head", "adapter on the head", "DoRA on the head", "rows of tied embeddings"],
)
def test_what_trains_in_the_head_gets_its_gradient(keys: dict[str, Any], trained: int) -> None:
    model = with_adapter(**keys)
    head = find_head(model, model)
    assert (head.loss, len(head.weights)) == ("within", trained)
    assert_same(model, head)


def test_a_frozen_body_under_a_trained_head() -> None:
    model = build("llama", WIDE, "sdpa").requires_grad_(False)
    model.lm_head.requires_grad_(True)
    assert_same(model, find_head(model, model))


@pytest.mark.parametrize("family", ["llama", "gemma2"])
def test_a_batch_without_a_target_has_no_loss_and_a_gradient_for_every_weight(family: str) -> None:
    model = build(family, FAMILIES[family][0], "eager")
    loss, gradients = loss_and_gradients(model, find_head(model, model), torch.full((2, 12), -100))
    assert loss == 0
    assert gradients.keys() == {name for name, _ in model.named_parameters()}
    assert {each.abs().max().item() for each in gradients.values()} == {0}


def test_under_autocast() -> None:
    """The weights' 16-bit copy, which autocast makes once, serves every chunk."""
    model = build("llama", {**WIDE, "tie_word_embeddings": True}, "sdpa")
    with torch.autocast("cpu", torch.bfloat16):
        head = find_head(model, model)
        assert head.loss == "within"
        assert_same(model, head, rtol=0.03)


def test_evaluation_takes_no_gradient() -> None:
    model = build("llama", WIDE, "sdpa")
    ids, labels = batch()
    call = functools.partial(model, input_ids=ids, use_cache=False)
    with torch.no_grad():
        loss = target_loss(find_head(model, model), call, labels)
        expected = summed_loss(call().logits, labels)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize(("family", "most"), [("llama", 4), ("gemma2", 13)])
def test_no_more_logits_are_made_at_a_time_than_a_chunk_or_the_targets(family: str, most: int) -> None:
    model = build(family, FAMILIES[family][0], "eager")
    head = find_head(model, model)
    sizes: list[int] = []
    assert head.module is not None
    inner = type(head.module).forward

    def counting(hidden: torch.Tensor) -> torch.Tensor:
        sizes.append(hidden.shape[:-1].numel())
        return inner(head.module, hidden)

    head.module.forward = counting
    loss_and_gradients(model, head)
    assert head.module.forward is counting
    assert (max(sizes), sum(sizes)) == (most, 13)


def test_a_model_that_looks_at_its_logits_together_keeps_all_of_them() -> None:
    class Mixing(torch.nn.Module):
        """Takes from each logit the mean of the row, which depends on every position."""

        def __init__(self, model: Any) -> None:
            super().__init__()
            self.model = model

        def forward(self, **inputs: Any) -> Any:
            outputs = self.model(**inputs)
            outputs.logits = outputs.logits - outputs.logits.mean(dim=1, keepdim=True)
            return outputs

    model = Mixing(build("llama", WIDE, "sdpa"))
    head = find_head(model, model.model)
    assert head == Head("outside")
    assert_same(model, head)


def test_a_model_whose_head_cannot_be_found_keeps_all_logits() -> None:
    model = build("llama", WIDE, "sdpa")
    with contextlib.ExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).setattr(
            model, "get_output_embeddings", lambda: None
        )
        assert find_head(model, model) == Head("outside")
