"""Runs whose tuned weights differ from their base, and chats with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ft_core.infer import Chat
from ft_core.runs import Run, RunWriter, create_run

MESSAGES = [{"role": "user", "content": 'Define "money".'}]


@pytest.fixture(scope="module")
def make_run(tmp_path_factory: pytest.TempPathFactory, dictionary: Path) -> Callable[..., Run]:
    """Return a function that makes the directory of a run of a base model, with no weights in it yet."""

    def make(base: Path | str, name: str = "poet", *, over: bool = True) -> Run:
        resolved = (
            f"base_model: {base}\nadapter: lora\nlearning_rate: 1e-3\nchat_template: chatml\n"
            f"datasets:\n  - path: {dictionary}\n    type: chat_template\n"
        )
        root = tmp_path_factory.mktemp("runs")
        run = create_run(name, config_text=resolved, resolved_text=resolved, plan={}, root=root)
        if over:
            with RunWriter(run.directory):
                pass
        return run

    return make


@pytest.fixture(scope="module")
def adapter_run(make_run: Callable[..., Run], tiny_model: Path) -> Run:
    """Return a run that tuned an adapter."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    run = make_run(tiny_model)
    torch.manual_seed(1)
    # init_lora_weights=False: both halves are random, so that the adapter changes what the model says.
    lora = LoraConfig(
        r=4, lora_alpha=32, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM"
    )
    get_peft_model(AutoModelForCausalLM.from_pretrained(tiny_model), lora).save_pretrained(run.final)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(run.final)
    return run


@pytest.fixture(scope="module")
def adapter_chat(adapter_run: Run) -> Iterator[Chat]:
    """Return a chat with that run."""
    with Chat(adapter_run) as chat:
        yield chat


@pytest.fixture(scope="module")
def greedy() -> Callable[..., list[int]]:
    """Return a function that generates in this process, with nothing of ours: the reference."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    def generate(weights: Path, prompt: list[int], tokens: int, *, base: Path | None = None) -> list[int]:
        model = AutoModelForCausalLM.from_pretrained(base or weights)
        if base is not None:
            model = PeftModel.from_pretrained(model, weights)
        ids = list(prompt)
        with torch.inference_mode():
            for _ in range(tokens):
                ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
        return ids[len(prompt) :]

    return generate
