"""A run is the loop that one would write by hand: the loss of each of 30 steps, on the real model, in fp32.

The loop below shares no line with the trainer. It computes every document alone, so it knows neither padding nor packing
nor micro-batches; its masks come from the text, its LoRA is two matrices beside a linear layer, and its schedule is a
formula. It is only told how the adapter began and which documents each step had, which are random.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from ft_core.config import Config
from ft_core.runs import Run

STEPS, WARMUP, DOCUMENTS = 30, 5, 40
LEARNING_RATE, WEIGHT_DECAY, MAX_NORM, BETAS, EPSILON = 2e-3, 0.1, 1.5, (0.9, 0.95), 1e-7
RANK, ALPHA = 8, 32
TARGETS = ("q_proj", "v_proj", "down_proj")
LAYERS = range(20, 30)  # the upper third, which saves most of the backward pass

KEYS: dict[str, Any] = {
    "lora_r": RANK,
    "lora_alpha": ALPHA,
    "lora_dropout": 0.0,
    "lora_target_modules": list(TARGETS),
    "peft_layers_to_transform": list(LAYERS),
    "optimizer": "adamw_torch",
    "learning_rate": LEARNING_RATE,
    "lr_scheduler": "cosine",
    "warmup_steps": WARMUP,
    "weight_decay": WEIGHT_DECAY,
    "max_grad_norm": MAX_NORM,
    "adam_beta1": BETAS[0],
    "adam_beta2": BETAS[1],
    "adam_epsilon": EPSILON,
    "gradient_accumulation_steps": 2,
    "max_steps": STEPS,
    "chat_template": "chatml",
    "val_set_size": 0,
}
"""Every number that the loss of a step depends on, none at a default that would hide it."""

CUTS: dict[str, dict[str, Any]] = {
    "padded": {"micro_batch_size": 2},
    "packed": {"micro_batch_size": 1, "sequence_len": 48, "sample_packing": True},
}
"""Four documents a step, in two micro-batches: each in its row, or two in one."""

Ids = tuple[int, ...]
"""The tokens of a document."""


@pytest.fixture(scope="module")
def chats(dictionary: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of the shortest chats of the dictionary."""
    lines = dictionary.read_text(encoding="utf-8").splitlines()
    file = tmp_path_factory.mktemp("reference") / "chats.jsonl"
    file.write_text("\n".join(sorted(lines, key=len)[:DOCUMENTS]), encoding="utf-8")
    return file


@pytest.mark.model
@pytest.mark.parametrize("cut", CUTS)
def test_the_loss_of_every_step(
    cut: str,
    demo_model: Path,
    chats: Path,
    make_config: Callable[..., Config],
    train: Callable[..., Run],
    events: Callable[[Run, str], list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    datasets = [{"path": str(chats), "type": "chat_template"}]
    config = make_config(base_model=str(demo_model), datasets=datasets, **KEYS, **CUTS[cut])
    start, batches = watch(monkeypatch)
    run = train(config)
    assert run.state == "completed", run.error

    labels = labelled(demo_model, chats)
    steps = [documents_of(batch, set(labels)) for batch in batches]
    for first in range(0, STEPS, DOCUMENTS // 4):
        epoch = Counter(ids for step in steps[first : first + DOCUMENTS // 4] for ids in step)
        assert epoch == Counter(labels.keys())  # every document once

    losses, norms = by_hand(demo_model, start, [[(ids, labels[ids]) for ids in step] for step in steps])
    told = events(run, "step")
    assert [event["loss"] for event in told] == pytest.approx(losses, abs=1e-4)
    assert [event["grad_norm"] for event in told] == pytest.approx(norms, rel=1e-3)
    assert sum(losses[-10:]) < sum(losses[:10]) - 10  # it learned: a wrong step would have been seen
    assert min(norms) < MAX_NORM < max(norms)  # clipped in some steps and not in others


def watch(monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, torch.Tensor], list[list[Any]]]:
    """Return how the next run's adapter begins and the micro-batches of its steps; both fill while it trains."""
    from ft_core.train.trainer import RunTrainer

    start: dict[str, torch.Tensor] = {}
    batches: list[list[Any]] = []
    original = RunTrainer.get_batch_samples

    def watched(self: Any, *arguments: Any) -> Any:
        if not start:
            trained = (pair for pair in self.model.named_parameters() if pair[1].requires_grad)
            start.update({name: weight.detach().clone() for name, weight in trained})
        found, count = original(self, *arguments)
        batches.append(found)
        return found, count

    monkeypatch.setattr(RunTrainer, "get_batch_samples", watched)
    return start, batches


def labelled(folder: Path, chats: Path) -> dict[Ids, list[int]]:
    """Return the labels of every document by its ids: those of the answer and of the token that ends it."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    labels: dict[Ids, list[int]] = {}
    for line in chats.read_text(encoding="utf-8").splitlines():
        question, answer = (message["content"] for message in json.loads(line)["messages"])
        prompt = f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"
        encoded = tokenizer(f"{prompt}{answer}<|im_end|>\n", return_offsets_mapping=True)
        end = len(prompt) + len(answer) + len("<|im_end|>")
        ids, places = encoded["input_ids"], encoded["offset_mapping"]
        labels[tuple(ids)] = [
            token if len(prompt) <= start < end else -100
            for token, (start, _) in zip(ids, places, strict=True)
        ]
    return labels


def documents_of(batch: list[Any], known: set[Ids]) -> list[Ids]:
    """Return the documents of a step, whose rows hold whole ones and padding, and nothing else."""
    found: list[Ids] = []
    for micro_batch in batch:
        for row in micro_batch["input_ids"].tolist():
            left = tuple(row)
            while document := next((ids for ids in known if left[: len(ids)] == ids), None):
                found.append(document)
                left = left[len(document) :]
            assert len(set(left)) <= 1
    return found


class Lora(torch.nn.Module):
    """A frozen linear layer and the two small matrices beside it."""

    def __init__(self, linear: torch.nn.Module, a: torch.Tensor, b: torch.Tensor) -> None:
        super().__init__()
        self.linear, self.a, self.b = linear, torch.nn.Parameter(a), torch.nn.Parameter(b)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return what the layer says, corrected."""
        return self.linear(inputs) + (inputs @ self.a.T) @ self.b.T * (ALPHA / RANK)


def by_hand(
    folder: Path, start: dict[str, torch.Tensor], steps: list[list[tuple[Ids, list[int]]]]
) -> tuple[list[float], list[float]]:
    """Return the loss and the norm of the gradient of every step."""
    from transformers import LlamaForCausalLM

    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).requires_grad_(False)
    adapters: list[torch.nn.Parameter] = []
    for layer in LAYERS:
        block = model.model.layers[layer]
        for parent in (block.self_attn, block.mlp):
            for target in (name for name in TARGETS if hasattr(parent, name)):
                [a] = [
                    start[name] for name in start if f"layers.{layer}." in name and f"{target}.lora_A" in name
                ]
                [b] = [
                    start[name] for name in start if f"layers.{layer}." in name and f"{target}.lora_B" in name
                ]
                lora = Lora(getattr(parent, target), a, b)
                setattr(parent, target, lora)
                adapters += [lora.a, lora.b]
    optimizer = torch.optim.AdamW(
        adapters, lr=0.0, betas=BETAS, eps=EPSILON, weight_decay=WEIGHT_DECAY, foreach=False
    )
    losses: list[float] = []
    norms: list[float] = []
    for step, documents in enumerate(steps):
        longest = max(len(ids) for ids, _ in documents)
        ids, labels, mask = (torch.zeros(len(documents), longest, dtype=torch.long) for _ in range(3))
        labels -= 100
        for row, (tokens, trained) in enumerate(documents):
            there = slice(len(tokens))
            ids[row, there], labels[row, there], mask[row, there] = (
                torch.tensor(tokens),
                torch.tensor(trained),
                1,
            )
        logits = model(ids, attention_mask=mask).logits
        loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
        loss.backward()
        losses.append(loss.item())
        norm = torch.nn.utils.clip_grad_norm_(adapters, MAX_NORM)
        norms.append(norm.item())
        done = (step - WARMUP) / (STEPS - WARMUP)
        share = step / WARMUP if step < WARMUP else (1 + math.cos(math.pi * done)) / 2
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * share
        optimizer.step()
        optimizer.zero_grad()
    return losses, norms
