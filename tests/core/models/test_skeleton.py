from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import Config
from ft_core.errors import MissingExtra, ModelError
from ft_core.models import skeleton
from ft_core.models.load import load_model
from ft_core.models.outline import Module, Outline
from ft_core.models.skeleton import build_skeleton, cached_skeleton, outline_of

GPT2 = {"model_type": "gpt2", "n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 100, "n_positions": 64}
MIXTRAL = {
    "model_type": "mixtral",
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 100,
    "num_local_experts": 4,
}


@pytest.fixture(autouse=True)
def cache(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty cache folder."""
    monkeypatch.setenv("FT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def model_of(make_config: Callable[..., Config], tmp_path: Path) -> Callable[..., Config]:
    """Return a function that makes a config on a model folder that holds this ``config.json`` and nothing else."""

    def make(content: dict[str, Any], **keys: Any) -> Config:
        folder = tmp_path / "model"
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(content))
        return make_config(base_model=str(folder), **keys)

    return make


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process, which has torch, answer for the child."""

    def answer(folder: Path, *, trust_remote_code: bool) -> dict[str, Any]:
        return json.loads(json.dumps(skeleton.main(str(folder), trust_remote_code=trust_remote_code)))

    monkeypatch.setattr(skeleton, "_ask_child", answer)


def no_child(*_: Any, **__: Any) -> dict[str, Any]:
    raise AssertionError("a child process was started")


def test_the_outline_of_a_child_process_is_that_of_the_loaded_model(
    make_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config()
    assert cached_skeleton(config) is None
    built = build_skeleton(config)
    assert built == outline_of(load_model(config))
    assert built is not None
    assert (built.total, built.positions, built.output_head, built.exact) == (3_219_776, 512, "lm_head", True)
    assert built.tied == ("model.embed_tokens", "lm_head")
    assert built.modules["model.layers.1.mlp.down_proj"] == Module("linear", 8192, 192, 64)
    monkeypatch.setattr(skeleton, "_ask_child", no_child)
    assert cached_skeleton(config) == build_skeleton(config) == built


def test_another_config_of_the_model_is_another_outline(
    model_of: Callable[..., Config], in_this_process: None
) -> None:
    config = model_of(GPT2)
    first = build_skeleton(config)
    assert first is not None
    assert first.positions == 64
    # GPT-2 keeps its matrices transposed: 32 in, 96 out.
    assert first.modules["transformer.h.0.attn.c_attn"] == Module("linear", 3168, 128, 96)
    (Path(config.base_model) / "config.json").write_text(json.dumps({**GPT2, "n_positions": 32}))
    assert cached_skeleton(config) is None


def test_fused_experts_are_no_linear_layers(model_of: Callable[..., Config], in_this_process: None) -> None:
    outline = build_skeleton(model_of(MIXTRAL))
    assert outline is not None
    assert outline.experts["model.layers.0.mlp.experts.down_proj"] == (4, 32, 48)
    assert {name.rsplit(".", 1)[-1] for name in outline.linear_layers()} == {
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
    }
    assert outline.fusion is not None
    assert outline.fusion.together == {"gate_up_proj": ("w1", "w3")}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"model_type": "no-such-family"}, "does not know the architecture of"),
        (
            {
                "model_type": "own",
                "auto_map": {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"},
            },
            "needs Python code from its own repository",
        ),
    ],
)
def test_what_a_user_can_mend_is_a_sentence(
    content: dict[str, Any], words: str, model_of: Callable[..., Config], in_this_process: None
) -> None:
    config = model_of(content)
    with pytest.raises(ModelError, match=words) as raised:
        build_skeleton(config)
    assert config.base_model in raised.value.message
    assert cached_skeleton(config) is None


@pytest.mark.parametrize(
    "content",
    [
        {"model_type": "llama", "hidden_size": "a lot"},
        {"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 0},
        {"model_type": "bert", "hidden_size": -5},
    ],
)
def test_a_config_that_builds_nothing_tells_nothing(
    content: dict[str, Any], model_of: Callable[..., Config], in_this_process: None
) -> None:
    assert build_skeleton(model_of(content)) is None


def test_absurd_numbers_end_with_the_child(
    model_of: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(skeleton, "_SECONDS", 8)
    started = time.monotonic()
    assert build_skeleton(model_of({"model_type": "llama", "num_hidden_layers": 10**9})) is None
    assert time.monotonic() - started < 30


@pytest.mark.parametrize(
    "answer", [{}, {"refusal": {"kind": "MissingExtra", "message": "It needs x.", "fix": "pip install x"}}]
)
def test_what_the_child_answers(
    answer: dict[str, Any], make_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(skeleton, "_ask_child", lambda folder, **_: answer)
    if not answer:
        assert build_skeleton(make_config()) is None
        return
    with pytest.raises(MissingExtra, match="It needs x"):
        build_skeleton(make_config())


def test_a_models_own_code_runs_in_the_child_and_only_where_it_is_trusted(
    model_of: Callable[..., Config], tmp_path: Path
) -> None:
    mark = tmp_path / "ran"
    content = {
        "model_type": "own",
        "auto_map": {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"},
    }
    config = model_of(content, trust_remote_code=True)
    (Path(config.base_model) / "own.py").write_text(
        "from pathlib import Path\n"
        "from transformers import LlamaConfig, LlamaForCausalLM\n"
        f"Path({str(mark)!r}).write_text('')\n"
        "print('words of its own')\n"
        "class OwnConfig(LlamaConfig):\n"
        "    model_type = 'own'\n"
        "    def __init__(self, **keys):\n"
        "        super().__init__(**{'hidden_size': 16, 'intermediate_size': 24, 'num_hidden_layers': 1,\n"
        "            'num_attention_heads': 2, 'vocab_size': 10, **keys})\n"
        "class OwnModel(LlamaForCausalLM):\n"
        "    config_class = OwnConfig\n"
    )
    with pytest.raises(ModelError, match="needs Python code"):
        build_skeleton(config.model_copy(update={"trust_remote_code": False}))
    assert not mark.exists()
    before = set(sys.modules)
    outline = build_skeleton(config)
    assert outline is not None
    assert mark.exists()
    assert outline.modules["lm_head"] == Module("linear", 160, 26, 10)
    assert not any(name.startswith("transformers_modules") for name in set(sys.modules) - before)


def test_a_cache_that_cannot_be_written_or_read_costs_only_time(
    make_config: Callable[..., Config], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outline = Outline(total=5, modules={"a": Module("linear", 4, 4, 2)}, exact=True)
    monkeypatch.setattr(skeleton, "_ask_child", lambda folder, **_: {"outline": outline.to_dict()})
    cache.write_text("in the way")
    assert build_skeleton(make_config()) == outline
    cache.unlink()
    assert build_skeleton(make_config()) == outline
    (file,) = (cache / "skeletons").iterdir()
    file.write_text('{"total": 5}')
    assert cached_skeleton(make_config()) is None


def test_the_process_that_asks_imports_neither_torch_nor_transformers(
    make_config: Callable[..., Config], tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").write_text(make_config().to_yaml(absolute_paths=True))
    code = (
        "import sys, pathlib; from ft_core.config import load_config; from ft_core.models.skeleton import build_skeleton;"
        f"assert build_skeleton(load_config(pathlib.Path({str(tmp_path / 'config.yaml')!r})));"
        "sys.exit(bool({'torch', 'transformers', 'peft'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
