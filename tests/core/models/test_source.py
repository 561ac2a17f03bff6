from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ft_core.config import Config
from ft_core.errors import MissingExtra, ModelError
from ft_core.models.source import check_base_model, explain_load_error


def rename(config: Config, base_model: str) -> Config:
    return config.model_copy(update={"base_model": base_model})


def test_a_model_that_is_here_passes(make_config: Callable[..., Config]) -> None:
    check_base_model(make_config())


def test_a_folder_that_does_not_exist_names_its_neighbour(
    make_config: Callable[..., Config], tiny_model: Path
) -> None:
    with pytest.raises(ModelError) as raised:
        check_base_model(rename(make_config(), str(tiny_model.with_name("tiny-lama"))))
    assert (
        raised.value.message == f"The base model folder '{tiny_model.with_name('tiny-lama')}' does not exist."
    )
    assert raised.value.fix == f"Did you mean '{tiny_model}'?"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ((), "is not a Transformers model: it has no config.json"),
        (("adapter_config.json",), "holds an adapter, not a model"),
        (("config.json",), "has a config.json but no weights"),
    ],
)
def test_a_folder_without_a_model(
    files: tuple[str, ...], message: str, tmp_path: Path, make_config: Callable[..., Config]
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for name in files:
        (folder / name).write_text("{}")
    with pytest.raises(ModelError, match=message):
        check_base_model(rename(make_config(), str(folder)))


def test_a_hub_model_without_the_hub(
    make_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = rename(make_config(), "nobody/no-such-model")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="neither a folder here nor in the hub's cache, and HF_HUB_OFFLINE"):
        check_base_model(config)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    check_base_model(config)  # only loading can tell


def raised_from(cause: Exception) -> OSError:
    """Return an OSError as transformers raises it around one of the hub's exceptions."""
    try:
        try:
            raise cause
        except Exception as inner:
            raise OSError("We could not load it.") from inner
    except OSError as error:
        return error


def hub_error(name: str) -> Exception:
    return type(name, (Exception,), {})("said the hub")


@pytest.mark.parametrize(
    ("error", "kind", "message", "fix"),
    [
        (raised_from(hub_error("GatedRepoError")), ModelError, "is gated", "hf auth login"),
        (
            raised_from(hub_error("RepositoryNotFoundError")),
            ModelError,
            "There is no base model 'a/b'",
            "spelling",
        ),
        (
            raised_from(hub_error("LocalEntryNotFoundError")),
            ModelError,
            "the hub cannot be reached",
            "network",
        ),
        (
            ValueError("Please pass the argument `trust_remote_code=True`"),
            ModelError,
            "needs Python code",
            "trust_remote_code: true",
        ),
        (
            ValueError("Transformers does not recognize this architecture."),
            ModelError,
            "does not know the architecture",
            "--upgrade",
        ),
        (
            ImportError("You need it: `pip install sentencepiece`"),
            MissingExtra,
            "needs the package 'sentencepiece'",
            "pip install sentencepiece",
        ),
        (
            OSError("a/b does not appear to have a file named model.bin"),
            ModelError,
            "is incomplete",
            "Download",
        ),
        (hub_error("SafetensorError"), ModelError, "cannot be read", "again"),
    ],
)
def test_what_loading_meets_is_a_sentence(
    error: Exception, kind: type[Exception], message: str, fix: str
) -> None:
    explained = explain_load_error(error, "a/b", "base model")
    assert type(explained) is kind
    assert explained is not None
    assert message in explained.message
    assert fix in explained.fix


def test_a_fault_of_ours_is_not_explained_away() -> None:
    assert explain_load_error(TypeError("unexpected keyword"), "a/b", "base model") is None
