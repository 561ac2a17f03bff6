"""Which tokenizers are kept, and for how long. That they give the same samples, tests/conformance/test_kept_tokenizer.py shows."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from ft_core.config import Config
from ft_core.models import kept_tokenizer
from ft_core.models.kept_tokenizer import MOST, KeptTokenizer, facts_to_keep, open_tokenizer
from ft_core.models.tokenizer import load_tokenizer

MakeConfig = Callable[..., Config]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of kept tokenizers, which is not there yet."""
    monkeypatch.setenv("FT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tokenizers"


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    """Return a folder of the tiny model that a test may change."""
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def is_kept(config: Config) -> bool:
    return isinstance(open_tokenizer(config), KeptTokenizer)


def test_the_second_time_it_is_not_loaded(
    make_config: MakeConfig, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config()
    loaded = open_tokenizer(config)
    assert isinstance(loaded, PreTrainedTokenizerFast)
    assert len(list(cache.iterdir())) == 1

    def load(_config: Config) -> None:
        raise AssertionError("it was loaded")

    monkeypatch.setattr(kept_tokenizer, "load_tokenizer", load)
    kept: Any = open_tokenizer(config)
    assert isinstance(kept, KeptTokenizer)
    assert kept("Define love.")["input_ids"] == loaded("Define love.")["input_ids"]
    assert kept.pad_token_id == loaded.pad_token_id


def test_tokens_of_the_config_are_in_it(make_config: MakeConfig, cache: Path) -> None:
    config = make_config(tokens=["<step>"], special_tokens={"pad_token": "<fill>"})
    loaded = open_tokenizer(config)
    kept: Any = open_tokenizer(config)
    assert isinstance(kept, KeptTokenizer)
    assert kept("a<step>b")["input_ids"] == loaded("a<step>b")["input_ids"]
    assert kept.pad_token == "<fill>"
    assert not is_kept(make_config(tokens=["<step>"]))
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize(
    "name", ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "config.json"]
)
def test_another_file_makes_another_tokenizer(
    name: str, make_config: MakeConfig, folder: Path, cache: Path
) -> None:
    config = make_config(base_model=str(folder))
    assert [is_kept(config), is_kept(config)] == [False, True]
    (folder / name).touch()
    assert [is_kept(config), is_kept(config)] == [False, True]


def test_another_version_of_a_library_makes_another_tokenizer(
    make_config: MakeConfig, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config()
    assert [is_kept(config), is_kept(config)] == [False, True]
    monkeypatch.setattr("importlib.metadata.version", lambda package: f"{package} 99")
    assert not is_kept(config)


def test_what_cannot_be_read_is_loaded_and_kept_again(make_config: MakeConfig, cache: Path) -> None:
    config = make_config()
    open_tokenizer(config)
    [file] = cache.iterdir()
    for content in ("[]", json.dumps({**json.loads(file.read_text()), "backend": "{}"})):
        file.write_text(content)
        assert [is_kept(config), is_kept(config)] == [False, True]


def test_a_cache_that_cannot_be_written_to_does_no_harm(make_config: MakeConfig, cache: Path) -> None:
    cache.parent.mkdir()
    cache.write_text("a file")
    assert [is_kept(make_config()), is_kept(make_config())] == [False, False]


def test_the_oldest_are_removed(make_config: MakeConfig, cache: Path) -> None:
    cache.mkdir(parents=True)
    for age in range(MOST):
        (cache / f"{age}.json").touch()
        os.utime(cache / f"{age}.json", (age, age))
    open_tokenizer(make_config())
    assert {file.name for file in cache.iterdir()} >= {f"{age}.json" for age in range(1, MOST)}
    assert len(list(cache.iterdir())) == MOST


def test_one_that_is_used_is_not_old(make_config: MakeConfig, cache: Path) -> None:
    config = make_config()
    open_tokenizer(config)
    [file] = cache.iterdir()
    os.utime(file, (1, 1))
    assert is_kept(config)
    assert file.stat().st_mtime > 1


def test_code_of_a_repository_is_run_each_time(make_config: MakeConfig, cache: Path) -> None:
    open_tokenizer(make_config(trust_remote_code=True))
    assert not cache.exists()


def test_a_class_with_manners_of_its_own_is_not_kept(make_config: MakeConfig) -> None:
    class Loud(PreTrainedTokenizerFast):
        def _encode_plus(self, *args: Any, **keys: Any) -> Any:
            return super()._encode_plus(*args, **keys)

    tokenizer: Any = load_tokenizer(make_config())
    assert facts_to_keep(tokenizer) is not None
    tokenizer.__class__ = Loud
    assert facts_to_keep(tokenizer) is None


class TestOfTheHub:
    @pytest.fixture(autouse=True)
    def hub(self, folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def download(name: str, file: str, *, revision: str | None) -> str:
            self.asked.append((name, file, revision))
            return str(self.commit / file)

        self.asked: list[tuple[str, str, str | None]] = []
        self.commit = folder
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        monkeypatch.delenv("TRANSFORMERS_OFFLINE", raising=False)
        monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
        real = load_tokenizer

        def load(config: Config) -> Any:
            here = str(self.commit)
            return real(config.model_copy(update={"base_model": here, "tokenizer_config": here}))

        monkeypatch.setattr(kept_tokenizer, "load_tokenizer", load)

    def test_the_commit_of_today_counts(self, make_config: MakeConfig, tmp_path: Path) -> None:
        config = make_config(base_model="someone/model", revision_of_model="v2")
        assert [is_kept(config), is_kept(config)] == [False, True]
        assert set(self.asked) == {("someone/model", "tokenizer_config.json", "v2")}
        self.commit = Path(shutil.copytree(self.commit, tmp_path / "next"))
        assert not is_kept(config)

    def test_a_hub_that_cannot_be_asked_is_left_to_the_load(
        self, make_config: MakeConfig, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object, **__: object) -> None:
            raise OSError("no network")

        monkeypatch.setattr("huggingface_hub.hf_hub_download", fail)
        open_tokenizer(make_config(base_model="someone/model"))
        assert not cache.exists()

    def test_a_hub_that_is_switched_off_is_not_asked(
        self, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        monkeypatch.setattr(kept_tokenizer, "model_folder", lambda name, revision: self.commit)
        config = make_config(base_model="someone/model")
        assert [is_kept(config), is_kept(config)] == [False, True]
        assert self.asked == []


class TestWhatItAsksOfTheOther:
    @pytest.fixture
    def pair(self, make_config: MakeConfig) -> tuple[Any, Any]:
        real: Any = load_tokenizer(make_config())
        facts = facts_to_keep(real)
        assert facts is not None
        return KeptTokenizer(facts, lambda: real), real

    def test_padding(self, pair: tuple[Any, Any]) -> None:
        kept, real = pair
        assert (
            kept(["a b c", "a"], padding=True)["input_ids"] == real(["a b c", "a"], padding=True)["input_ids"]
        )
        assert len(kept("a")["input_ids"]) == 1

    def test_a_cleaned_text(self, pair: tuple[Any, Any]) -> None:
        kept, real = pair
        ids = real("Well , no .")["input_ids"]
        keys = {"skip_special_tokens": True, "clean_up_tokenization_spaces": True}
        assert kept.decode(ids, **keys) == real.decode(ids, **keys)

    def test_ids_of_a_chat(self, pair: tuple[Any, Any]) -> None:
        kept, real = pair
        keys: dict[str, Any] = {
            "tools": None,
            "chat_template": "{{ messages[0]['content'] }}",
            "add_generation_prompt": False,
            "tokenize": True,
            "return_dict": False,
        }
        messages = [{"role": "user", "content": "Define love."}]
        assert kept.apply_chat_template(messages, **keys) == real("Define love.")["input_ids"]

    def test_a_variable_that_the_method_takes_for_itself(self, pair: tuple[Any, Any]) -> None:
        kept, real = pair
        keys: dict[str, Any] = {
            "tools": None,
            "chat_template": "{{ documents }}",
            "add_generation_prompt": False,
            "tokenize": False,
            "return_dict": False,
            "documents": [{"title": "a"}],
        }
        messages = [{"role": "user", "content": "a"}]
        assert kept.apply_chat_template(messages, **keys) == real.apply_chat_template(messages, **keys)

    def test_anything_else(self, pair: tuple[Any, Any]) -> None:
        kept, real = pair
        assert kept.model_max_length == real.model_max_length
        with pytest.raises(AttributeError):
            kept.no_such_thing  # noqa: B018

    def test_no_template(self, pair: tuple[Any, Any]) -> None:
        kept, real = pair
        real.chat_template = None
        facts = facts_to_keep(real)
        assert facts is not None
        with pytest.raises(ValueError, match="no chat template"):
            KeptTokenizer(facts, lambda: real).get_chat_template()
        assert kept.get_chat_template()
