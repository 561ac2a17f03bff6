"""New tokens from the config to a model that is loaded again, tied and untied, with an adapter and without."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ft_core.config import Config
from ft_core.infer.load import Models
from ft_core.infer.source import find_source
from ft_core.models import load_model
from ft_core.models.load import fit_embeddings
from ft_core.models.tokenizer import load_vocabulary
from ft_core.runs import Run, create_run
from ft_core.train.trainer import RunTrainer

SIZE = 49152

KEYS: dict[str, Any] = {
    "tokens": ["<a>"],
    "special_tokens": {"eos_token": "<|new|>"},
    "added_tokens_overrides": {"5": "<think>"},
}
NEW = [5, SIZE, SIZE + 1]  # <think>, <|new|>, <a>

LORA: dict[str, Any] = {}
FULL: dict[str, Any] = {"adapter": ..., "learning_rate": 1e-3}
WHOLE: dict[str, Any] = {"lora_modules_to_save": ["embed_tokens", "lm_head"]}


@pytest.fixture(params=[True, False], ids=["tied", "untied"])
def base(request: pytest.FixtureRequest, tiny_model: Path, untied_model: Path) -> Path:
    """Return the tiny model, with and without an output head of its own."""
    return tiny_model if request.param else untied_model


@pytest.fixture
def marked_rows(tmp_path: Path) -> Path:
    """Return rows that hold the new tokens."""
    file = tmp_path / "marked.jsonl"
    texts = [f"<think> the quick <a> brown {word}" for word in ("fox", "dog", "wizard", "box", "vex", "jug")]
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return file


@pytest.fixture
def make_marked(make_config: Callable[..., Config], base: Path, marked_rows: Path) -> Callable[..., Config]:
    """Return a function that makes a config with new tokens."""

    def make(**keys: Any) -> Config:
        datasets = [{"path": str(marked_rows), "type": "completion"}]
        return make_config(**{"base_model": str(base), "datasets": datasets, **KEYS, **keys})

    return make


@pytest.fixture
def trained_logits(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """Return what the model says of the new tokens at the end of each training, before it is saved."""
    said: list[torch.Tensor] = []
    train = RunTrainer.train

    def train_and_ask(self: RunTrainer, *arguments: Any, **settings: Any) -> Any:
        output = train(self, *arguments, **settings)
        said.append(logits(self.model))
        return output

    monkeypatch.setattr(RunTrainer, "train", train_and_ask)
    return said


def logits(model: Any) -> torch.Tensor:
    """Return the logits of a text that holds every new token."""
    model.eval()
    with torch.no_grad():
        return model(input_ids=torch.tensor([[*NEW, 400, 401, *NEW]])).logits


def loaded(run: Run | Path) -> Models:
    """Load what a run saved as a chat does."""
    return Models(find_source(run), "cpu")


def tuned(folder: Run | Path) -> Any:
    """Return the model that was saved, loaded as a chat does."""
    with loaded(folder).using(find_source(folder).choices[0]) as model:
        return model


def moved(now: Any, before: Any) -> list[int]:
    """Return which rows of a weight differ."""
    return (now.weight != before.weight).any(dim=1).nonzero().flatten().tolist()


def start(config: Config) -> Any:
    """Return the model as training finds it."""
    from transformers import set_seed

    set_seed(config.seed)
    model = load_model(config)
    fit_embeddings(model, config, load_vocabulary(config)[1])
    return model


@pytest.mark.parametrize("keys", [LORA, FULL, WHOLE], ids=["lora", "full", "whole"])
def test_what_was_trained_is_what_is_loaded(
    keys: dict[str, Any],
    make_marked: Callable[..., Config],
    train: Callable[..., Run],
    trained_logits: list[torch.Tensor],
) -> None:
    config = make_marked(**keys, save_strategy="steps", save_steps=3)
    run = train(config)
    assert run.state == "completed", run.error
    for saved in (run.final, run.directory / "checkpoints" / "checkpoint-3"):
        tokenizer = loaded(saved).tokenizer
        assert tokenizer("<think><|new|><a>")["input_ids"] == NEW
        assert tokenizer.eos_token_id == SIZE
        assert torch.equal(logits(tuned(saved)), trained_logits[0])


@pytest.mark.parametrize("keys", [LORA, FULL, WHOLE], ids=["lora", "full", "whole"])
def test_new_rows_train_and_beside_an_adapter_no_others_do(
    keys: dict[str, Any], make_marked: Callable[..., Config], train: Callable[..., Run]
) -> None:
    config = make_marked(**keys)
    before, now = start(config), tuned(train(config))
    if config.adapter:
        now = now.merge_and_unload()
    head = moved(now.get_output_embeddings(), before.get_output_embeddings())
    embedding = moved(now.get_input_embeddings(), before.get_input_embeddings())
    if before.config.tie_word_embeddings:
        assert embedding == head
    # The stop token ends every row, so that no token is ever predicted from it.
    read = NEW if before.config.tie_word_embeddings else [5, SIZE + 1]
    if keys is LORA:
        assert (embedding, head) == (read, NEW)
    else:
        assert set(read) < set(embedding)
        assert set(NEW) < set(head)


@pytest.mark.parametrize("keys", [LORA, WHOLE], ids=["lora", "whole"])
def test_a_merged_model_says_the_same_after_it_is_loaded(
    keys: dict[str, Any], make_marked: Callable[..., Config], train: Callable[..., Run], tmp_path: Path
) -> None:
    config = make_marked(**keys)
    run = train(config)
    adapted = logits(tuned(run))
    merged = tuned(run).merge_and_unload()
    merged.save_pretrained(tmp_path / "merged")
    loaded(run).tokenizer.save_pretrained(tmp_path / "merged")
    again = tuned(tmp_path / "merged")
    assert torch.equal(logits(again), logits(merged))
    torch.testing.assert_close(logits(again), adapted, atol=1e-5, rtol=0)
    tied = again.get_output_embeddings().weight is again.get_input_embeddings().weight
    assert tied is bool(again.config.tie_word_embeddings)


def test_an_adapter_holds_its_rows_and_no_embeddings(
    make_marked: Callable[..., Config], train: Callable[..., Run], base: Path
) -> None:
    run = train(make_marked(save_strategy="steps", save_steps=3))
    rows = {
        "base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta": (3, 64),
        "base_model.model.lm_head.token_adapter.trainable_tokens_delta": (3, 64),
    }
    if json.loads((base / "config.json").read_text())["tie_word_embeddings"]:
        del rows["base_model.model.lm_head.token_adapter.trainable_tokens_delta"]
    for folder in (run.final, run.directory / "checkpoints" / "checkpoint-3"):
        tensors = load_file(folder / "adapter_model.safetensors")
        assert {name: tuple(value.shape) for name, value in tensors.items() if "lora_" not in name} == rows


def test_the_base_of_a_chat_is_what_it_was_and_reads_the_new_tokens(
    make_marked: Callable[..., Config], train: Callable[..., Run], base: Path
) -> None:
    from transformers import AutoModelForCausalLM

    models = loaded(train(make_marked()))
    old = torch.tensor([[1, 5, 400, 401]])
    with models.using("base") as model, torch.no_grad():
        assert torch.equal(
            model(input_ids=old).logits[..., :SIZE],
            AutoModelForCausalLM.from_pretrained(base).eval()(input_ids=old).logits,
        )
        assert logits(model).shape == (1, 8, SIZE + 2)


def test_a_padded_size_is_trained_saved_and_loaded(
    make_marked: Callable[..., Config], train: Callable[..., Run], trained_logits: list[torch.Tensor]
) -> None:
    for keys in (LORA, WHOLE):
        run = train(make_marked(resize_token_embeddings_to_32x=True, **keys))
        assert trained_logits[-1].shape == (1, 8, SIZE + 32)
        assert torch.equal(logits(tuned(run)), trained_logits[-1])


def test_two_runs_of_one_seed_begin_and_end_alike(
    make_marked: Callable[..., Config], train: Callable[..., Run], trained_logits: list[torch.Tensor]
) -> None:
    train(make_marked())
    train(make_marked())
    train(make_marked(seed=43))
    assert torch.equal(trained_logits[0], trained_logits[1])
    assert not torch.equal(trained_logits[0], trained_logits[2])


@pytest.mark.parametrize("keys", [LORA, WHOLE, FULL], ids=["lora", "whole", "full"])
def test_a_run_that_goes_on_from_a_checkpoint_ends_where_the_whole_one_does(
    keys: dict[str, Any],
    make_marked: Callable[..., Config],
    train: Callable[..., Run],
    trained_logits: list[torch.Tensor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = make_marked(save_strategy="steps", save_steps=1, **keys)
    checkpoint = str(train(config).directory / "checkpoints" / "checkpoint-2")
    ask = RunTrainer.train
    monkeypatch.setattr(
        RunTrainer, "train", lambda self, *_, **__: ask(self, resume_from_checkpoint=checkpoint)
    )
    run = train(config)
    assert run.state == "completed", run.error
    assert torch.equal(trained_logits[1], trained_logits[0])


def test_two_ranks_train_the_same_rows_as_one(
    make_marked: Callable[..., Config],
    train: Callable[..., Run],
    on_two_ranks: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    alone = train(make_marked(micro_batch_size=2))
    config = make_marked(micro_batch_size=1)
    run = create_run("two", config_text="", resolved_text=config.to_yaml(absolute_paths=True), plan={})
    done = on_two_ranks("two_ranks.py", run)
    assert done.returncode == 0, done.stderr
    one, two = (load_file(each.final / "adapter_model.safetensors") for each in (alone, run))
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(two[name], one[name], atol=2e-4, rtol=0)
