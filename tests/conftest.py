"""What every test may ask for: the real model, a tiny one, real data, and a place for runs."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("COMET_DISABLE_AUTO_LOGGING", "1")  # as a run has it

# Threads that wait for each other would spin, and take the time that the awaited one needs; a run has it so too.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # each core has its worker

# A shell that starts the tests in the background makes them ignore interrupts; the tests of interrupts would then wait for
# ever, and so would every process they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parents[1]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return a worker for each core that this process may use, and no more than fit into the memory of a small machine."""
    from ft_core.models.hardware import cpu_cores

    return min(cpu_cores(), 4)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """On several workers begin with the files that take long, so that none of them is left to one worker at the end."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        marks = ("model", "ui", "kernel")
        slow = {item.path for item in items if any(map(item.get_closest_marker, marks))}
        items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    """Take what the tests imported out of every later collection of garbage, which the libraries ask for in each run."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Let other workers wait while a test that is marked ``alone`` runs."""
    with beside_others(alone=item.get_closest_marker("alone") is not None):
        return (yield)


@contextlib.contextmanager
def beside_others(*, alone: bool) -> Iterator[None]:
    """Share the machine with the tests of other workers, or have all its cores."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        yield
        return
    with (ROOT / "pyproject.toml").open("rb") as door, Path(__file__).open("rb") as machine:
        # Who waits for the others to end holds the door, so that none of them begins a new test.
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(machine, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        threads = os.environ.pop("OMP_NUM_THREADS", None) if alone else None
        yield
        if threads is not None:
            os.environ["OMP_NUM_THREADS"] = threads
        # Closing the file would not do: a process that the test forked may live on, and have it open.
        fcntl.flock(machine, fcntl.LOCK_UN)


@pytest.fixture(scope="session")
def demo_model() -> Path:
    """Return the folder of the real SmolLM2-135M-Instruct (about 20 s and 90 MB of download on a fresh machine)."""
    from ft_core.models.demo import demo_model

    return demo_model()


@pytest.fixture(scope="session")
def dictionary() -> Path:
    """Return the JSONL of the Devil's Dictionary: 817 chats of one question and one answer."""
    return ROOT / "example_notebooks" / "data" / "devils_dictionary.jsonl"


@pytest.fixture(scope="session")
def tiny_model(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a random Llama (hidden 64, 2 layers) with SmolLM2's tokenizer: trains in seconds."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(demo_model)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    folder = tmp_path_factory.mktemp("models") / "tiny-llama"
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def untied_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the tiny model with an output head of its own."""
    import torch
    from transformers import AutoConfig, AutoTokenizer, LlamaForCausalLM

    torch.manual_seed(1)
    config = AutoConfig.from_pretrained(tiny_model)
    config.tie_word_embeddings = False
    folder = tmp_path_factory.mktemp("models") / "tiny-untied"
    LlamaForCausalLM(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def prepared_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder for tokenized data, set as the default one."""
    folder = tmp_path_factory.mktemp("prepared")
    monkeypatch.setenv("FT_PREPARED_DIR", str(folder))
    return folder


@pytest.fixture
def config_of_four_rows(tiny_model: Path, tmp_path: Path) -> str:
    """Return the path of a config that trains on four short texts."""
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"text": f"Number {number}."}) + "\n" for number in range(4)))
    file = tmp_path / "config.yml"
    file.write_text(
        f"base_model: {tiny_model}\nlearning_rate: 1e-4\ndatasets:\n- path: {rows}\n  type: completion\n"
    )
    return str(file)


@pytest.fixture
def runs_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty runs folder, set as the default one."""
    root = tmp_path / "runs"
    monkeypatch.setenv("FT_RUNS_DIR", str(root))
    return root
