from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, LlamaConfig, MptConfig, RwkvConfig

from ft_core.config import Config
from ft_core.errors import ModelError
from ft_core.models.checkpointing import recompute_layers

IDS = torch.arange(12)[None]
LLAMA = LlamaConfig(
    hidden_size=16, intermediate_size=32, num_hidden_layers=4, num_attention_heads=2, vocab_size=32
)


def model(config: Any = LLAMA, *, adapter: bool = True) -> Any:
    torch.manual_seed(0)
    base = AutoModelForCausalLM.from_config(config)
    base.config.use_cache = False
    if adapter:
        base = get_peft_model(base, LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM"))
    return base.train()


def step(subject: Any) -> tuple[list[int], dict[str, torch.Tensor]]:
    """Return how often each layer was computed in a step, and the gradients."""
    counts: list[int] = []
    layers = [each for name, each in subject.named_modules() if name.rsplit(".", 1)[-1].isdigit()]
    for place, layer in enumerate(layers):
        counts.append(0)
        norm = next(each for name, each in layer.named_modules() if name == "input_layernorm")

        def count(*_: Any, place: int = place) -> None:
            counts[place] += 1

        norm.register_forward_hook(count)
    subject(input_ids=IDS, labels=IDS).loss.backward()
    return counts, {name: weight.grad for name, weight in subject.named_parameters() if weight.requires_grad}


@pytest.mark.parametrize("adapter", [True, False])
@pytest.mark.parametrize(
    ("layers", "counts"),
    [(0, [1, 1, 1, 1]), (1, [2, 1, 1, 1]), (3, [2, 2, 2, 1]), (4, [2, 2, 2, 2])],
)
def test_the_first_layers_are_computed_twice_and_nothing_else_changes(
    layers: int, counts: list[int], adapter: bool, make_config: Callable[..., Config]
) -> None:
    config = make_config(adapter="lora" if adapter else None)
    plain, subject = model(adapter=adapter), model(adapter=adapter)
    assert recompute_layers(subject, config, layers) == layers
    found, gradients = step(subject)
    assert found == counts
    expected = step(plain)[1]
    assert list(gradients) == list(expected)
    for name, gradient in expected.items():
        assert torch.equal(gradients[name], gradient), name


def test_offloading_from_a_host_moves_nothing(make_config: Callable[..., Config]) -> None:
    config = make_config(adapter="lora", gradient_checkpointing="offload")
    subject = model()
    assert recompute_layers(subject, config, 4) == 4
    found, gradients = step(subject)
    assert found == [2, 2, 2, 2]
    for name, gradient in step(model())[1].items():
        assert torch.equal(gradients[name], gradient), name


def test_a_model_that_cannot(make_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch) -> None:
    subject = model(adapter=False)
    monkeypatch.setattr(type(subject), "supports_gradient_checkpointing", False)
    assert recompute_layers(subject, make_config(), 4) == 0
    with pytest.raises(ModelError) as caught:
        recompute_layers(subject, make_config(gradient_checkpointing=True), 4)
    assert caught.value.message == (
        "LlamaForCausalLM cannot compute its activations again in the backward pass."
    )
    assert caught.value.fix == (
        "Remove 'gradient_checkpointing', and lower micro_batch_size or sequence_len where memory is short."
    )


@pytest.mark.parametrize(
    "config",
    [
        MptConfig(d_model=16, n_heads=2, n_layers=3, vocab_size=32, max_seq_len=16),
        RwkvConfig(
            hidden_size=16, attention_hidden_size=16, num_hidden_layers=3, vocab_size=32, context_length=16
        ),
    ],
)
def test_other_families(config: Any, make_config: Callable[..., Config]) -> None:
    plain, subject = model(config, adapter=False), model(config, adapter=False)
    # All at once, where a family's layers do not choose for themselves.
    assert recompute_layers(subject, make_config(), 3) == 3
    for each in (plain, subject):
        each(input_ids=IDS, labels=IDS, use_cache=False).loss.backward()
    for (name, found), wanted in zip(subject.named_parameters(), plain.parameters(), strict=True):
        assert torch.equal(found.grad, wanted.grad), name
