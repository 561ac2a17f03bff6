from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, LlamaConfig

from ft_core.config import Config
from ft_core.errors import ModelError
from ft_core.models.checkpointing import recompute_layers
from ft_core.models.compiled import compile_layers

IDS = torch.arange(12)[None]


def adapted() -> Any:
    torch.manual_seed(0)
    shape = LlamaConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=3, num_attention_heads=2, vocab_size=32
    )
    base = AutoModelForCausalLM.from_config(shape)
    base.config.use_cache = False
    settings = LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
    return get_peft_model(base, settings).train()


def gradients(model: Any) -> dict[str, torch.Tensor]:
    model(input_ids=IDS, labels=IDS).loss.backward()
    return {name: weight.grad for name, weight in model.named_parameters() if weight.requires_grad}


@pytest.mark.parametrize("recomputed", [0, 2])
def test_all_layers_share_what_the_first_is_compiled_to(
    recomputed: int, make_config: Callable[..., Config]
) -> None:
    graphs: list[Any] = []

    def count(graph: Any, _: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    torch.compiler.reset()
    expected, model = gradients(adapted()), adapted()
    config = make_config(adapter="lora", torch_compile=True, torch_compile_backend="eager")
    object.__setattr__(config, "torch_compile_backend", count)
    recompute_layers(model, config, recomputed)
    assert compile_layers(model, config) == 3
    found = gradients(model)
    assert list(found) == list(expected)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-5, atol=1e-6)
    # Two for three layers: the first starts from what needs no gradient, or is computed again and the last is not.
    assert len(graphs) == 2


def test_nothing_is_compiled_unasked(make_config: Callable[..., Config]) -> None:
    assert compile_layers(adapted(), make_config(adapter="lora")) == 0


def test_a_model_that_does_not_tell_its_layers_apart(make_config: Callable[..., Config]) -> None:
    model: Any = torch.nn.Linear(2, 2)
    with pytest.raises(ModelError) as caught:
        compile_layers(model, make_config(torch_compile=True))
    assert (caught.value.message, caught.value.fix) == (
        "'torch_compile' compiles a model layer by layer, and Linear does not tell its layers apart.",
        "Remove 'torch_compile'.",
    )
